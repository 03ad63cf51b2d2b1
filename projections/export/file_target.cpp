#include "file_target.hpp"

#include <lungo/log/storage.hpp>

namespace lungo::exporting {

namespace {

constexpr std::string_view kLock = "_lock";
constexpr std::size_t kBufferBytes = 256u << 10;

class LocalFile final : public TargetFile {
 public:
  explicit LocalFile(std::unique_ptr<File> file) : file_(std::move(file)) { buffer_.reserve(kBufferBytes); }

  Result<void> write(BytesView bytes) override {
    if (buffer_.size() + bytes.size() > kBufferBytes) {
      if (Result<void> flushed = flush(); !flushed) return flushed;
    }
    if (bytes.size() > kBufferBytes) return put(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return {};
  }

  Result<void> close() override {
    if (Result<void> flushed = flush(); !flushed) return flushed;
    return file_->sync();
  }

 private:
  Result<void> flush() {
    Result<void> written = put(buffer_);
    buffer_.clear();
    return written;
  }
  Result<void> put(BytesView bytes) {
    if (bytes.empty()) return {};
    Result<void> written = file_->write_at(at_, bytes);
    at_ += bytes.size();
    return written;
  }

  std::unique_ptr<File> file_;
  Bytes buffer_;
  std::uint64_t at_ = 0;
};

class LocalHold final : public TargetHold {
 public:
  explicit LocalHold(std::unique_ptr<FileLock> lock) : lock_(std::move(lock)) {}
  [[nodiscard]] bool is_held() const override { return true; }

 private:
  std::unique_ptr<FileLock> lock_;
};

}  // namespace

Result<std::unique_ptr<FileTarget>> FileTarget::open(Storage& storage, std::string root) {
  while (root.size() > 1 && root.ends_with('/')) root.pop_back();
  if (Result<void> made = make_directories_durably(storage, root); !made) return made.error();
  return std::unique_ptr<FileTarget>(new FileTarget(storage, std::move(root)));
}

Result<std::vector<TargetEntry>> FileTarget::list(const std::string& folder) {
  const Result<std::vector<DirEntry>> found = storage_.list(full(folder));
  if (!found) return found.error();
  std::vector<TargetEntry> entries;
  for (const DirEntry& entry : *found) {
    if (!folder.empty() || entry.name != kLock) entries.push_back({entry.name, entry.is_directory});
  }
  return entries;
}

Result<void> FileTarget::make_folder(const std::string& folder) { return make_directories_durably(storage_, full(folder)); }

Result<std::unique_ptr<TargetFile>> FileTarget::create(const std::string& path) {
  Result<std::unique_ptr<File>> file = storage_.open(full(path), OpenMode::create_new);
  if (!file) return file.error();
  if (Result<void> synced = storage_.sync_directory(parent_directory(full(path))); !synced) return synced.error();
  return std::make_unique<LocalFile>(std::move(*file));
}

/// A second name first, as a rename would replace; then one too many, which is this one's where the two are one file.
Result<void> FileTarget::rename(const std::string& from, const std::string& to) {
  if (Result<void> named = give_name(full(from), full(to)); !named) return named;
  if (Result<void> synced = storage_.sync_directory(parent_directory(full(to))); !synced) return synced;
  const Result<void> removed = storage_.remove(full(from));
  if (!removed && removed.error() != Errc::not_found) return removed;
  return storage_.sync_directory(parent_directory(full(from)));
}

Result<void> FileTarget::give_name(const std::string& from, const std::string& to) {
  const Result<void> linked = storage_.link(from, to);
  if (linked) return {};
  if (linked.error() == Errc::already_exists) {
    const Result<bool> is_one = is_one_file(from, to);
    if (!is_one) return is_one.error();
    return *is_one ? Result<void>{} : linked;
  }
  if (linked.error() != Errc::unsupported) return linked;
  // No second names here. Nobody else gives names while this process holds the target.
  const Result<bool> is_taken = storage_.exists(to);
  if (!is_taken) return is_taken.error();
  if (*is_taken) return Error{Errc::already_exists, to + " is there"};
  return storage_.rename(from, to);
}

Result<bool> FileTarget::is_one_file(const std::string& a, const std::string& b) {
  std::uint64_t identities[2];
  const std::string* const paths[2] = {&a, &b};
  for (int i = 0; i < 2; ++i) {
    const Result<std::unique_ptr<File>> file = storage_.open(*paths[i], OpenMode::read);
    if (!file) return file.error();
    const Result<std::uint64_t> identity = (*file)->identity();
    if (!identity) return identity.error();
    identities[i] = *identity;
  }
  return identities[0] != 0 && identities[0] == identities[1];
}

Result<void> FileTarget::remove(const std::string& path) {
  Result<void> removed = storage_.remove(full(path));
  if (!removed && removed.error() == Errc::not_found) return {};
  if (!removed) removed = storage_.remove_all(full(path));  // a folder
  return removed ? storage_.sync_directory(parent_directory(full(path))) : removed;
}

Result<std::string> FileTarget::read(const std::string& path, std::size_t bytes_max) {
  const Result<Bytes> bytes = read_file(storage_, full(path), bytes_max);
  if (!bytes) return bytes.error();
  return std::string(as_text(*bytes));
}

Result<std::unique_ptr<TargetHold>> FileTarget::hold(const std::string& holder) {
  Result<std::unique_ptr<FileLock>> lock = storage_.lock(full(std::string(kLock)), holder);
  if (!lock) return lock.error();
  return std::make_unique<LocalHold>(std::move(*lock));
}

}  // namespace lungo::exporting
