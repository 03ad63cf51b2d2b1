// PORT: where an export's files go: a folder on a local disk, or on HDFS.
//
// Paths are relative to the target's root: names with '/' between, none of them empty, "." or "..". What a call has changed is
// durable when it returns, and calls take effect in their order for all who use the target (an exporter is fenced by that).
// Threads: calls from any, at the same time; a file belongs to one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/bytes.hpp>
#include <lungo/log/result.hpp>

namespace lungo::exporting {

/// A file that is being written. Without close() it stays there as far as it has come, or it does not.
class TargetFile {
 public:
  virtual ~TargetFile() = default;
  /// Errors: no_space, io.
  virtual Result<void> write(BytesView bytes) = 0;
  /// All of it is there now. Once, and nothing is written behind it. Errors: no_space, io.
  virtual Result<void> close() = 0;
};

/// This process has the target to itself until the object or the process goes.
class TargetHold {
 public:
  virtual ~TargetHold() = default;
  /// False where somebody may have taken the target since, as this process was away for too long.
  [[nodiscard]] virtual bool is_held() const = 0;
};

struct TargetEntry {
  std::string name;
  bool is_folder = false;
  friend auto operator<=>(const TargetEntry&, const TargetEntry&) = default;
};

class ExportTarget {
 public:
  virtual ~ExportTarget() = default;

  /// As a person would say it, in front of a path: "file:///data/events".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Sorted by name. Errors: not_found; io.
  virtual Result<std::vector<TargetEntry>> list(const std::string& folder) = 0;
  /// And its parents; nothing where it is there. Errors: no_space, io.
  virtual Result<void> make_folder(const std::string& folder) = 0;
  /// In a folder that is there. Errors: already_exists; not_found; no_space, io.
  virtual Result<std::unique_ptr<TargetFile>> create(const std::string& path) = 0;
  /// A file, to a name that nobody has, in a folder that is there. Errors: already_exists, when there is another file of that
  /// name; not_found; no_space, io. After io it may have been done.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// A file, or a folder with all that is in it; nothing where there is none. Errors: io.
  virtual Result<void> remove(const std::string& path) = 0;
  /// Errors: not_found; too_large above `bytes_max`; io.
  virtual Result<std::string> read(const std::string& path, std::size_t bytes_max) = 0;
  /// Errors: locked, with what `holder` the other one has given; no_space, io.
  virtual Result<std::unique_ptr<TargetHold>> hold(const std::string& holder) = 0;
};

}  // namespace lungo::exporting
