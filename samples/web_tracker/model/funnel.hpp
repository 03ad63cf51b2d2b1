// The funnel: how far sessions come along a list of pages, in order.
//
// A step is a page, or with `*` at its end all pages that begin so. Steps may have other pages between them.
// Threads: set_funnel() before anything is started; everything else any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tracker {

class FunnelSteps {
 public:
  /// From "/,/shop*,/checkout".
  explicit FunnelSteps(std::string_view comma_separated);
  /// How many steps the path takes, one after the other.
  [[nodiscard]] int reached(const std::vector<std::string>& path) const;
  [[nodiscard]] const std::vector<std::string>& steps() const { return steps_; }
  /// "/ > /shop* > /checkout": names the funnel in its rows.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// A hash of the steps, not negative: rows of other steps are made anew.
  [[nodiscard]] std::int64_t version() const;

 private:
  std::vector<std::string> steps_;
  std::string name_;
};

/// The steps that the Funnel projection counts. A fold is a type without an object, so what it is told at run time lies
/// outside of it; main() sets it once.
void set_funnel(FunnelSteps steps);
const FunnelSteps& funnel();

}  // namespace tracker
