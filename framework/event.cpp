#include <lungo/framework/event.hpp>

namespace lungo {

Result<void> EventNames::add(std::string_view name, std::span<const std::string_view> aliases, TypeKey type) {
  const auto taken = [&](std::string_view wanted) {
    const auto found = types_.find(wanted);
    return found != types_.end() && found->second != type;
  };
  const auto refusal = [](std::string_view wanted) {
    return Error{Errc::already_exists, "two types of this process answer to the event name " + std::string(wanted) +
                                           ": give one of them another `event_name`"};
  };
  if (taken(name)) return refusal(name);
  for (const std::string_view alias : aliases) {
    if (taken(alias)) return refusal(alias);
  }
  types_.emplace(name, type);
  for (const std::string_view alias : aliases) types_.emplace(alias, type);
  return {};
}

}  // namespace lungo
