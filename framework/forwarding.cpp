#include <lungo/framework/forward_server.hpp>

namespace lungo {

Error not_owned(const TopicPartition& partition, const std::optional<Membership::Owner>& owner) {
  std::string text = to_string(partition);
  text += !owner                    ? " is nobody's at present"
          : owner->is_me            ? " is about to be this process's"
          : owner->endpoint.empty() ? " is owned by a process that does not say where it is reached"
                                    : " is owned by " + owner->endpoint;
  return {Errc::not_owner, std::move(text)};
}

namespace {

Bytes refusal(const Error& error) { return to_bytes(detail::ForwardedAnswer{error, {}}); }

}  // namespace

Result<void> ForwardServer::take_appends(std::string_view topic) {
  Result<TopicInfo> info = store_.topic(topic);
  if (!info) return info.error();
  if (!info->spec.streams) return Error{Errc::invalid_argument, "topic " + info->spec.name + " holds no streams"};
  topics_.insert_or_assign(info->spec.name, info->spec.partitions);
  return {};
}

void ForwardServer::serve(BytesView request, std::function<void(Bytes)> done) {
  const Result<detail::ForwardedKind> kind = detail::kind_of_request(request);
  if (!kind) return done(refusal(kind.error()));
  switch (*kind) {
    case detail::ForwardedKind::command:
      return serve_command(request, std::move(done));
    case detail::ForwardedKind::append:
      return serve_append(request, std::move(done));
    case detail::ForwardedKind::query:
      return serve_query(request, done);
  }
}

void ForwardServer::serve_command(BytesView request, std::function<void(Bytes)> done) {
  const Result<detail::ForwardedCommand> call = detail::parse_forwarded_command(request);
  if (!call) return done(refusal(call.error()));
  const auto decider = deciders_.find(call->category);
  if (decider == deciders_.end()) {
    const std::string category{call->category};
    return done(refusal({Errc::invalid_argument, "no decider " + category + " takes commands from other processes"}));
  }
  decider->second->execute(*call, [done = std::move(done)](const detail::ForwardedAnswer& answer) { done(to_bytes(answer)); });
}

/// The home says whose the partition is not; whose it is, the sender finds out.
void ForwardServer::serve_append(BytesView request, std::function<void(Bytes)> done) {
  Result<AppendRequest> append = detail::parse_forwarded_append(request);
  if (!append) return done(refusal(append.error()));
  if (const std::optional<Error> refused = why_not(*append)) return done(refusal(*refused));
  const TopicPartition to = append->to;
  store_.log().append(std::move(*append), [to, done = std::move(done)](const Result<Appended>& appended) {
    if (!appended) return done(refusal(appended.error()));
    done(
        to_bytes(detail::ForwardedAnswer{Commit{to, appended->first, appended->end, appended->repeated, appended->epoch}, {}}));
  });
}

void ForwardServer::serve_query(BytesView request, const std::function<void(Bytes)>& done) const {
  const Result<detail::ForwardedQuery> query = detail::parse_forwarded_query(request);
  if (!query) return done(refusal(query.error()));
  const auto answer = queries_.find(query->to);
  if (answer == queries_.end()) {
    return done(refusal({Errc::invalid_argument, "nobody answers queries to " + std::string(query->to)}));
  }
  done(detail::query_answer(answer->second(query->query)));
}

std::optional<Error> ForwardServer::why_not(const AppendRequest& append) const {
  const auto topic = topics_.find(append.to.topic);
  if (topic == topics_.end()) {
    return Error{Errc::invalid_argument, "topic " + append.to.topic + " takes no appends from other processes"};
  }
  const auto lies_there = [&](std::string_view stream) {
    return partition_of_stream(stream, topic->second) == append.to.partition;
  };
  bool all_there = !append.condition || lies_there(append.condition->key);
  for (std::size_t index = 0; index < append.records.count(); ++index) {
    all_there = all_there && append.records.key(index) && lies_there(*append.records.key(index));
  }
  if (all_there) return std::nullopt;
  return Error{Errc::invalid_argument, "an append to " + to_string(append.to) + " has a stream that does not lie there"};
}

}  // namespace lungo
