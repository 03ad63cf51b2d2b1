#include <lungo/log/event_log.hpp>

#include <lungo/log/check.hpp>

#include <mutex>

namespace lungo {

namespace {

/// What the caller and the completion share; the completion may come after the caller gave up.
struct Answer {
  std::mutex mutex;
  std::optional<Result<Appended>> result;  // under mutex

  bool arrived() {
    const std::lock_guard lock(mutex);
    return result.has_value();
  }
};

/// murmur2 by Austin Appleby (public domain), with the seed that Kafka's clients use.
std::uint32_t murmur2(std::string_view text) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr std::uint32_t kSeed = 0x9747b28c;
  const auto byte = [&](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(text[at])}; };

  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(text.size());
  std::size_t at = 0;
  for (; at + 4 <= text.size(); at += 4) {
    std::uint32_t word = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24);
    word *= kMultiplier;
    word ^= word >> 24;
    word *= kMultiplier;
    hash = (hash * kMultiplier) ^ word;
  }
  if (at < text.size()) {
    for (std::size_t i = text.size(); i-- > at;) hash ^= byte(i) << (8 * (i - at));
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ (hash >> 15);
}

}  // namespace

PartitionId partition_of_key(std::string_view key, std::int32_t partitions) {
  check(partitions > 0, "a topic has partitions");
  return PartitionId{static_cast<std::int32_t>(murmur2(key) & 0x7fffffff) % partitions};
}

Result<Appended> append_wait(EventLog& log, AppendRequest request, Duration timeout) {
  const Ports ports = log.ports();
  const std::string partition = to_string(request.to);
  const Instant deadline = ports.clock.monotonic() + timeout;
  const auto answer = std::make_shared<Answer>();
  request.caller_waits = true;
  log.append(std::move(request), [answer, &executor = ports.executor](Result<Appended> result) {
    {
      const std::lock_guard lock(answer->mutex);
      answer->result = std::move(result);
    }
    executor.notify();
  });
  if (!ports.executor.wait_until([&] { return answer->arrived(); }, deadline)) {
    return Error{Errc::timed_out, "append to " + partition + " is not committed yet; it may still be"};
  }
  const std::lock_guard lock(answer->mutex);
  return *std::move(answer->result);
}

}  // namespace lungo
