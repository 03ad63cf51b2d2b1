// What the library logs while a test looks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lungo::test {

/// Takes the lines of a folder's logger for as long as it lives; they appear nowhere else.
class LogLines {
 public:
  explicit LogLines(std::string folder = "log");
  ~LogLines();
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  /// Lines of this level, e.g. "error", with `text` in them.
  [[nodiscard]] int count(std::string_view level, std::string_view text) const;
  /// Those of this level, without what stands in front of the text.
  [[nodiscard]] std::vector<std::string> of(std::string_view level) const;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace lungo::test
