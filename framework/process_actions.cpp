#include <lungo/framework/process_actions.hpp>

#include <utility>

namespace lungo {

void Actions::reset(Timestamp time, std::string_view key, std::string_view lane) {
  time_ = time;
  key_ = key;
  lane_ = lane;
  bytes_.clear();
  emissions_.clear();
  timers_.clear();
  commands_.clear();
  closes_ = false;
}

void Actions::take(Actions&& returned) {
  std::swap(bytes_, returned.bytes_);
  std::swap(emissions_, returned.emissions_);
  std::swap(timers_, returned.timers_);
  std::swap(commands_, returned.commands_);
  closes_ = returned.closes_;
}

}  // namespace lungo
