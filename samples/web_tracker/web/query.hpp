// The query of a URL, and forms, which are written the same way.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tracker {

/// "a=1&b=two%20words", decoded. Of a name that comes twice the first counts.
class Query {
 public:
  explicit Query(std::string_view text);
  /// False when a percent sign was not followed by two hexadecimal digits.
  [[nodiscard]] bool is_valid() const { return valid_; }
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const;
  /// A decimal number without sign; nothing when absent or anything else.
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const;

 private:
  bool valid_ = true;
  std::vector<std::pair<std::string, std::string>> parts_;
};

/// As the value of a query: all but letters, digits and "-._~" as %XX.
std::string encoded(std::string_view text);

}  // namespace tracker
