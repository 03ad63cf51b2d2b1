// From a line to a Request: a chain of named steps, each of which is counted and may drop the line with a reason.
//
//   parse -> target -> referrer -> visitor
//
// Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "import/access_line.hpp"
#include "ingest/visitor_ids.hpp"
#include "model/events.hpp"

namespace tracker {

/// How many lines went into a step, and how many it dropped.
struct StepCount {
  std::string_view name;
  std::uint64_t lines = 0;
  std::uint64_t dropped = 0;
};

/// What the chain makes of a line. Used again for the next one, so that its strings keep their memory.
struct Draft {
  AccessLine line;  // views into the text that was given
  Request request;
  std::string stream;  // "visitor-ID"
  [[nodiscard]] std::chrono::sys_seconds time() const { return line.time; }
};

class IngestChain {
 public:
  explicit IngestChain(const Secret& secret) : visitors_(secret) {}

  /// Fills `draft` from a line; a reason when a step dropped it.
  std::optional<DropReason> run(std::string_view text, Draft& draft);
  [[nodiscard]] std::array<StepCount, 4> counts() const;

 private:
  using Step = std::optional<DropReason> (IngestChain::*)(std::string_view text, Draft& draft);
  struct NamedStep {
    std::string_view name;
    Step run;
  };
  static const std::array<NamedStep, 4> kSteps;

  std::optional<DropReason> parse(std::string_view text, Draft& draft);
  std::optional<DropReason> judge_target(std::string_view text, Draft& draft);
  std::optional<DropReason> judge_referrer(std::string_view text, Draft& draft);
  std::optional<DropReason> name_visitor(std::string_view text, Draft& draft);

  VisitorIds visitors_;
  std::array<std::uint64_t, 4> lines_{};
  std::array<std::uint64_t, 4> dropped_{};
};

}  // namespace tracker
