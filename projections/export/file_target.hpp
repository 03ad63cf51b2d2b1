// An export's files in a local folder. Readers of the folder see files of the mode that the process's umask gives.
// Threads: as ExportTarget.
#pragma once

#include <memory>
#include <string>

#include <lungo/log/ports.hpp>

#include "export_target.hpp"

namespace lungo::exporting {

class FileTarget final : public ExportTarget {
 public:
  /// Makes the folder. `storage` outlives it. Errors: no_space, io.
  static Result<std::unique_ptr<FileTarget>> open(Storage& storage, std::string root);

  [[nodiscard]] std::string name() const override { return "file://" + root_; }
  Result<std::vector<TargetEntry>> list(const std::string& folder) override;
  Result<void> make_folder(const std::string& folder) override;
  Result<std::unique_ptr<TargetFile>> create(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override;
  Result<std::unique_ptr<TargetHold>> hold(const std::string& holder) override;

 private:
  FileTarget(Storage& storage, std::string root) : storage_(storage), root_(std::move(root)) {}
  [[nodiscard]] std::string full(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }
  Result<bool> is_one_file(const std::string& a, const std::string& b);
  Result<void> give_name(const std::string& from, const std::string& to);

  Storage& storage_;
  const std::string root_;
};

}  // namespace lungo::exporting
