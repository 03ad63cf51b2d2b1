// An export's target in memory, and one that fails: for models of what an exporter leaves behind wherever it stops. Threads:
// one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "export_target.hpp"

namespace lungo::exporting {

class MemoryTarget final : public ExportTarget {
 public:
  [[nodiscard]] std::string name() const override { return "memory://target"; }

  Result<std::vector<TargetEntry>> list(const std::string& folder) override {
    if (!folders_.contains(folder)) return missing(folder);
    const std::string prefix = folder.empty() ? std::string{} : folder + "/";
    std::set<TargetEntry> found;
    const auto add = [&](const std::string& path, bool is_folder) {
      const bool is_in = path.size() > prefix.size() && path.starts_with(prefix);
      if (is_in && path.find('/', prefix.size()) == std::string::npos) found.insert({path.substr(prefix.size()), is_folder});
    };
    for (const std::string& path : folders_) add(path, true);
    for (const auto& [path, bytes] : files_) add(path, false);
    return std::vector<TargetEntry>(found.begin(), found.end());
  }

  Result<void> make_folder(const std::string& folder) override {
    for (std::size_t end = 0; end != std::string::npos;) {
      end = folder.find('/', end + 1);
      folders_.insert(folder.substr(0, end));
    }
    return {};
  }

  Result<std::unique_ptr<TargetFile>> create(const std::string& path) override {
    if (files_.contains(path) || folders_.contains(path)) return Error{Errc::already_exists, path + " is there"};
    if (!folders_.contains(parent_of(path))) return missing(parent_of(path));
    files_[path];
    return std::make_unique<Open>(*this, path);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto file = files_.find(from);
    if (file == files_.end()) return missing(from);
    if (files_.contains(to) || folders_.contains(to)) return Error{Errc::already_exists, to + " is there"};
    if (!folders_.contains(parent_of(to))) return missing(parent_of(to));
    files_[to] = std::move(file->second);
    files_.erase(from);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    const auto is_its = [&](const std::string& other) { return other == path || other.starts_with(path + "/"); };
    std::erase_if(files_, [&](const auto& file) { return is_its(file.first); });
    std::erase_if(folders_, is_its);
    return {};
  }

  Result<std::string> read(const std::string& path, std::size_t bytes_max) override {
    const auto file = files_.find(path);
    if (file == files_.end()) return missing(path);
    if (file->second.size() > bytes_max) return Error{Errc::too_large, path};
    return file->second;
  }

  Result<std::unique_ptr<TargetHold>> hold(const std::string& holder) override {
    if (held_by_) return Error{Errc::locked, "held by " + *held_by_};
    held_by_ = holder;
    return std::make_unique<Hold>(*this);
  }

  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }
  /// Whoever has it may not know: as a lease that has run out.
  void let_hold_run_out() { held_by_.reset(); }

 private:
  class Open final : public TargetFile {
   public:
    Open(MemoryTarget& target, std::string path) : target_(target), path_(std::move(path)) {}
    Result<void> write(BytesView bytes) override {
      const auto file = target_.files_.find(path_);
      if (file == target_.files_.end()) return Error{Errc::io, path_ + " was removed"};
      file->second += as_text(bytes);
      return {};
    }
    Result<void> close() override {
      return target_.files_.contains(path_) ? Result<void>{} : Error{Errc::io, path_ + " was removed"};
    }

   private:
    MemoryTarget& target_;
    const std::string path_;
  };
  class Hold final : public TargetHold {
   public:
    explicit Hold(MemoryTarget& target) : target_(target) {}
    ~Hold() override { target_.held_by_.reset(); }
    [[nodiscard]] bool is_held() const override { return true; }

   private:
    MemoryTarget& target_;
  };

  static Error missing(const std::string& path) { return {Errc::not_found, path + " is not there"}; }
  static std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string{} : path.substr(0, slash);
  }

  std::map<std::string, std::string> files_;
  std::set<std::string> folders_{""};
  std::optional<std::string> held_by_;
};

}  // namespace lungo::exporting
