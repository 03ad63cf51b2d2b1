#include "model/funnel.hpp"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace tracker {
namespace {

FunnelSteps& current() {
  static FunnelSteps steps{"*,*,*"};  // one page, two pages, three: what fits every site
  return steps;
}

bool matches(std::string_view step, std::string_view page) {
  if (!step.ends_with('*')) return step == page;
  step.remove_suffix(1);
  return page.starts_with(step);
}

}  // namespace

FunnelSteps::FunnelSteps(std::string_view list) {
  while (!list.empty()) {
    const std::string_view step = list.substr(0, list.find(','));
    list.remove_prefix(std::min(step.size() + 1, list.size()));
    if (step.empty()) continue;
    if (!name_.empty()) name_ += " > ";
    name_ += step;
    steps_.emplace_back(step);
  }
}

int FunnelSteps::reached(const std::vector<std::string>& path) const {
  std::size_t step = 0;
  for (const std::string& page : path) {
    if (step < steps_.size() && matches(steps_[step], page)) ++step;
  }
  return static_cast<int>(step);
}

std::int64_t FunnelSteps::version() const {
  std::string list;  // a step has no comma in it
  for (const std::string& step : steps_) list += step + ",";
  return static_cast<std::int64_t>(XXH3_64bits(list.data(), list.size()) >> 1);
}

void set_funnel(FunnelSteps steps) { current() = std::move(steps); }
const FunnelSteps& funnel() { return current(); }

}  // namespace tracker
