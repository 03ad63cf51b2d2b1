#include <lungo/log/event_log.hpp>

#include <lungo/log/answer.hpp>
#include <lungo/log/check.hpp>

namespace lungo {

namespace {

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
  const std::string partition = to_string(request.to);
  Answer<Appended> answer{log.ports(), timeout};
  request.caller_waits = true;
  log.append(std::move(request), answer.completion());
  if (std::optional<Result<Appended>> result = answer.wait()) return *std::move(result);
  return Error{Errc::timed_out, "append to " + partition + " is not committed yet; it may still be"};
}

}  // namespace lungo
