#include <lungo/log/event_log.hpp>

#include <lungo/log/answer.hpp>
#include <lungo/log/appender.hpp>
#include <lungo/log/check.hpp>

#include <algorithm>

#include "whole_membership.hpp"

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

Error not_here(std::string_view name, std::string_view what) {
  return {Errc::unsupported, "topic " + std::string(name) + ": this log can't " + std::string(what)};
}

}  // namespace

Result<TopicInfo> EventLog::alter_topic(std::string_view name, const TopicChange&) { return not_here(name, "change settings"); }

Result<void> EventLog::delete_topic(std::string_view name) { return not_here(name, "delete topics"); }

Result<TopicInfo> EventLog::add_partitions(std::string_view name, std::int32_t) { return not_here(name, "add partitions"); }

Result<Offset> EventLog::delete_records(const TopicPartition& partition, Offset) {
  return not_here(partition.topic, "delete records");
}

Result<FileRange> EventLog::read_range(const TopicPartition& partition, Offset, std::uint64_t) {
  return not_here(partition.topic, "tell where its records lie in a file");
}

std::vector<Metric> EventLog::metrics() { return {}; }

Result<Position> EventLog::to_store(std::string_view /*topic*/, const Position& position) { return position; }

std::shared_ptr<Membership> EventLog::membership() { return std::make_shared<WholeMembership>(*this); }

std::vector<DamagedRange> EventLog::damage(const TopicPartition&) { return {}; }

Result<std::optional<Offset>> EventLog::offset_at_of_what_is_left(const TopicPartition& partition, Timestamp time) {
  return offset_at(partition, time);
}

Result<Fetched> read_with(EventLog& log, const TopicPartition& partition, Offset from, std::size_t bytes_max,
                          const ReadOptions& options) {
  for (;;) {
    Result<Fetched> fetched = log.read(partition, from, bytes_max);
    if (fetched || fetched.error() != Errc::corrupt || !options.skip_damaged) return fetched;
    // A read that has found damage has noted it before it answers.
    const std::vector<DamagedRange> damage = log.damage(partition);
    // Between `from` and it there may be a gap.
    const std::optional<Offset> named = fetched.error().offset();
    const auto in_the_way = std::ranges::find_if(
        damage, [from, named](const auto& range) { return from < range.end && (range.from <= from || range.from == named); });
    if (in_the_way == damage.end()) return fetched;
    // It may reach further than what is committed.
    if (const Result<Ends> ends = log.ends(partition); !ends || in_the_way->end > ends->committed) return fetched;
    from = in_the_way->end;
  }
}

Result<Fetched> read_back_with(EventLog& log, const TopicPartition& partition, Offset end, std::size_t bytes_max,
                               const ReadOptions& options) {
  for (;;) {
    Result<Fetched> fetched = log.read_back(partition, end, bytes_max);
    if (fetched || fetched.error() != Errc::corrupt || !options.skip_damaged) return fetched;
    // Above it may lie the front of a batch that `end` cuts through.
    const std::vector<DamagedRange> damage = log.damage(partition);
    const auto below =
        std::ranges::find_if(damage.rbegin(), damage.rend(), [end](const auto& range) { return range.from < end; });
    const Result<Ends> ends = log.ends(partition);
    if (below == damage.rend() || !ends) return fetched;
    end = std::max(below->from, ends->start);
  }
}

PartitionId partition_of_key(std::string_view key, std::int32_t partitions) {
  check(partitions > 0, "a topic has partitions");
  return PartitionId{static_cast<std::int32_t>(murmur2(key) & 0x7fffffff) % partitions};
}

Result<Appended> append_wait(EventLog& log, AppendRequest request, Duration timeout) {
  return log.append_wait(std::move(request), timeout);
}

Result<Appended> EventLog::append_wait(AppendRequest request, Duration timeout) {
  const std::string partition = to_string(request.to);
  Answer<Appended> answer{ports(), timeout};
  request.caller_waits = true;
  append(std::move(request), answer.completion());
  if (std::optional<Result<Appended>> result = answer.wait()) return *std::move(result);
  return Error{Errc::timed_out, "append to " + partition + " is not committed yet; it may still be"};
}

namespace {

/// For homes without a shorter way: makes a request of each append.
class RequestAppender : public Appender {
 public:
  RequestAppender(EventLog& log, TopicPartition to) : log_(log), to_(std::move(to)) {}

  Result<Appended> append_wait(const RecordFields& record, const AppenderOptions& options) override {
    EncodedRecords records;
    if (Result<void> added = records.add(record); !added) return added.error();
    return append_wait(records, options);
  }
  Result<Appended> append_wait(EncodedRecords& records, const AppenderOptions& options) override {
    return lungo::append_wait(log_, request(records, options));
  }
  void append(const RecordFields& record, Completion completion, const AppenderOptions& options) override {
    EncodedRecords records;
    if (Result<void> added = records.add(record); !added) return completion(added.error());
    log_.append(request(std::move(records), options), std::move(completion));
  }

 private:
  [[nodiscard]] AppendRequest request(EncodedRecords records, const AppenderOptions& options) const {
    return {.to = to_,
            .records = std::move(records),
            .condition = options.condition != nullptr ? std::optional{*options.condition} : std::nullopt,
            .since = options.since,
            .durability = options.durability};
  }

  EventLog& log_;
  const TopicPartition to_;
};

}  // namespace

Result<Appended> Appender::append_batch(BytesView /*batch*/, const AppenderOptions& /*options*/) {
  return Error{Errc::unsupported, "this log takes no batches of producers"};
}

Result<std::shared_ptr<Appender>> EventLog::appender(const TopicPartition& partition) {
  if (const Result<Ends> known = ends(partition); !known) return known.error();
  return std::shared_ptr<Appender>(std::make_shared<RequestAppender>(*this, partition));
}

}  // namespace lungo
