// A Storage and a File in front of another one, for tests that change or watch a part of what it does.
#pragma once

#include <lungo/log/storage.hpp>

namespace lungo::test {

/// Without handle(): who had one could read past what overrides read_at().
class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> beneath) : beneath_(std::move(beneath)) {}

  Result<std::size_t> read_at(std::uint64_t position, std::span<std::byte> out) override {
    return beneath_->read_at(position, out);
  }
  Result<void> write_at(std::uint64_t position, BytesView bytes) override { return beneath_->write_at(position, bytes); }
  Result<void> sync() override { return beneath_->sync(); }
  Result<void> truncate(std::uint64_t size) override { return beneath_->truncate(size); }
  Result<void> preallocate(std::uint64_t position, std::uint64_t length) override {
    return beneath_->preallocate(position, length);
  }
  Result<std::uint64_t> size() override { return beneath_->size(); }
  Result<std::uint64_t> identity() override { return beneath_->identity(); }

 private:
  const std::unique_ptr<File> beneath_;
};

/// `beneath` outlives it.
class ForwardingStorage : public Storage {
 public:
  explicit ForwardingStorage(Storage& beneath) : beneath_(beneath) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override { return beneath_.open(path, mode); }
  Result<void> rename(const std::string& from, const std::string& to) override { return beneath_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return beneath_.remove(path); }
  Result<void> remove_all(const std::string& path) override { return beneath_.remove_all(path); }
  Result<void> make_directories(const std::string& path) override { return beneath_.make_directories(path); }
  Result<std::vector<DirEntry>> list(const std::string& directory) override { return beneath_.list(directory); }
  Result<bool> exists(const std::string& path) override { return beneath_.exists(path); }
  Result<void> sync_directory(const std::string& directory) override { return beneath_.sync_directory(directory); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override {
    return beneath_.lock(path, holder);
  }
  Result<bool> is_locked(const std::string& path) override { return beneath_.is_locked(path); }
  Result<void> copy(const std::string& from, const std::string& to, std::uint64_t bytes) override {
    return beneath_.copy(from, to, bytes);
  }
  Result<void> link(const std::string& from, const std::string& to) override { return beneath_.link(from, to); }
  [[nodiscard]] std::size_t open_files_max() const override { return beneath_.open_files_max(); }

 private:
  Storage& beneath_;
};

}  // namespace lungo::test
