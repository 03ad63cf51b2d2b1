// The files that this process has open, by what they are: two that begin alike can't be told apart by what the log has of them
// while their first events are on the way.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "import/byte_source.hpp"

namespace tracker {

class OpenFiles {
 public:
  /// An import's hold on its file, until it goes.
  class Hold {
   public:
    Hold() = default;
    Hold(OpenFiles& files, FileIdentity identity) : files_(&files), identity_(identity) {}
    Hold(Hold&& other) noexcept : files_(std::exchange(other.files_, nullptr)), identity_(other.identity_) {}
    Hold& operator=(Hold&& other) noexcept {
      std::swap(files_, other.files_);
      std::swap(identity_, other.identity_);
      return *this;
    }
    ~Hold() {
      if (files_ != nullptr) std::erase_if(files_->held_, [this](const auto& held) { return held.first == identity_; });
    }

   private:
    OpenFiles* files_ = nullptr;
    FileIdentity identity_;
  };

  /// `file` is the id that it is imported under. The hold must not outlive this object.
  [[nodiscard]] Hold hold(FileIdentity identity, std::string file) {
    held_.emplace_back(identity, std::move(file));
    return {*this, identity};
  }
  [[nodiscard]] bool has(FileIdentity identity) const {
    return std::ranges::any_of(held_, [&](const auto& held) { return held.first == identity; });
  }
  [[nodiscard]] bool has(const std::string& file) const {
    return std::ranges::any_of(held_, [&](const auto& held) { return held.second == file; });
  }

 private:
  std::vector<std::pair<FileIdentity, std::string>> held_;
};

}  // namespace tracker
