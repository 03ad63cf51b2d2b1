#include <lungo/framework/forward_server.hpp>

namespace lungo {

void ForwardServer::serve(BytesView request, std::function<void(Bytes)> done) {
  const auto refuse = [&](const Error& error) { done(to_bytes(detail::ForwardedAnswer{error, {}})); };
  const Result<detail::ForwardedCommand> call = detail::parse_forwarded_command(request);
  if (!call) return refuse(call.error());
  const auto decider = deciders_.find(call->category);
  if (decider == deciders_.end()) {
    return refuse(
        {Errc::invalid_argument, "no decider " + std::string(call->category) + " takes commands from other processes"});
  }
  decider->second->execute(*call, [done = std::move(done)](const detail::ForwardedAnswer& answer) { done(to_bytes(answer)); });
}

}  // namespace lungo
