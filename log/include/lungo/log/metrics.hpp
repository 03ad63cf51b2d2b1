// Numbers that a log can tell of itself, for who shows them: docs/reference/metrics.md lists them.
#pragma once

#include <cstdint>
#include <string_view>

namespace lungo {

enum class MetricKind {
  counter,  // since the opening, only ever up
  gauge,    // as of now
};

struct Metric {
  std::string_view name;  // these two are of the program's own text
  std::string_view help;
  MetricKind kind = MetricKind::counter;
  std::uint64_t value = 0;
};

}  // namespace lungo
