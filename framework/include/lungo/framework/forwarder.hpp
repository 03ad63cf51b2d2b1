// PORT: how a command, an append or a query gets to the process that owns its partition, and its answer back.
//
//   struct Visit { using Commands = lungo::commands<ViewPage>; ... };   // those that may be sent to another process
//   store.forward_with(std::make_shared<MyHttpClient>());               // a Forwarder; before Aggregates and processes
//   Aggregates<Visit> visits{store};
//   ForwardServer server{store};                                        // forward_server.hpp
//   server.add(visits);                                                 // what comes in is given to server.serve()
//
// docs/guides/beyond-one-machine.md has a whole one, over TCP.
// An application brings the transport, Lungo what is in the bytes. They say which command shall be executed on which stream, so
// they belong on no public port: who can send them can do what the application can do.
// One hop: who gets a command executes it, or says whose the partition is; who sent it tries again, until its deadline.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include <lungo/log/bytes.hpp>
#include <lungo/log/membership.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

/// No request and no answer is larger.
inline constexpr std::size_t kForwardedBytesMax = 1u << 20;

class Forwarder {
 public:
  virtual ~Forwarder() = default;
  using Done = std::function<void(Result<Bytes>)>;

  /// Takes `request` to the process that calls itself `endpoint`, as it said to its home, and answers with what
  /// ForwardServer::serve() answers there. `done` runs once, on any thread or in the call; behind the command's own deadline
  /// nobody listens any more. Must not block or throw.
  /// Errors: closed where it surely did not get there, so that nothing was executed (nobody listens at that endpoint); any
  /// other leaves that open, and a command without an id is not tried again.
  virtual void forward(const std::string& endpoint, Bytes request, Done done) = 0;
};

/// `not_owner`, for who can't go there; `owner` as Membership::owner_of() says.
Error not_owned(const TopicPartition& partition, const std::optional<Membership::Owner>& owner);

}  // namespace lungo
