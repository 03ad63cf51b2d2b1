#include "import/ingest_chain.hpp"

namespace tracker {

const std::array<IngestChain::NamedStep, 4> IngestChain::kSteps{{{"parse", &IngestChain::parse},
                                                                 {"target", &IngestChain::judge_target},
                                                                 {"referrer", &IngestChain::judge_referrer},
                                                                 {"visitor", &IngestChain::name_visitor}}};

std::optional<DropReason> IngestChain::run(std::string_view text, Draft& draft) {
  for (std::size_t i = 0; i < kSteps.size(); ++i) {
    ++lines_[i];
    if (const std::optional<DropReason> reason = (this->*kSteps[i].run)(text, draft)) {
      ++dropped_[i];
      return reason;
    }
  }
  return std::nullopt;
}

std::array<StepCount, 4> IngestChain::counts() const {
  std::array<StepCount, 4> counts;
  for (std::size_t i = 0; i < kSteps.size(); ++i) counts[i] = {kSteps[i].name, lines_[i], dropped_[i]};
  return counts;
}

std::optional<DropReason> IngestChain::parse(std::string_view text, Draft& draft) {
  const std::optional<DropReason> reason = parse_access_line(text, draft.line);
  if (reason) return reason;
  Request& request = draft.request;
  request.time = draft.line.time;
  request.method = draft.line.method;
  request.target = draft.line.target;
  request.protocol = draft.line.protocol;
  request.status = draft.line.status;
  request.bytes = draft.line.bytes;
  request.zone_minutes = static_cast<std::int32_t>(draft.line.zone.count());
  return std::nullopt;
}

std::optional<DropReason> IngestChain::judge_target(std::string_view, Draft& draft) {
  draft.request.kind = kind_of(draft.line.method, draft.line.target);
  return std::nullopt;
}

std::optional<DropReason> IngestChain::judge_referrer(std::string_view, Draft& draft) {
  draft.request.referrer = draft.line.referrer == "-" ? std::string_view{} : draft.line.referrer;
  referrer_host(draft.line.referrer, draft.request.referrer_host);
  return std::nullopt;
}

std::optional<DropReason> IngestChain::name_visitor(std::string_view, Draft& draft) {
  const auto day = std::chrono::floor<std::chrono::days>(draft.line.local_time());
  const Visitor& visitor = visitors_.of(day, draft.line.address, draft.line.user_agent);
  draft.request.visitor = visitor.bytes;
  draft.request.browser = visitor.agent.browser;
  draft.request.system = visitor.agent.system;
  draft.request.device = visitor.agent.device;
  draft.request.bot = visitor.agent.bot;
  draft.stream.assign("visitor-");
  draft.stream += visitor.id_text();
  return std::nullopt;
}

}  // namespace tracker
