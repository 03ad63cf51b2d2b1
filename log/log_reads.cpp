#include "log_reads.hpp"

#include <algorithm>

namespace lungo {

Result<TopicInfo> LogReads::topic(std::string_view name) {
  const Result<std::shared_ptr<const OpenTopic>> found = open_topics_.find(name);
  if (!found) return found.error();
  return (*found)->info;
}

Result<std::vector<TopicInfo>> LogReads::topics() {
  std::vector<TopicInfo> infos;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) infos.push_back(topic->info);
  return infos;
}

namespace {

constexpr int kAttempts = 10;  // beside a writer that exchanges segments all the time

Error outside(const TopicPartition& partition, Offset offset, Offset start, Offset committed) {
  return Error{Errc::offset_out_of_range,
               to_string(partition) + ": offset " + std::to_string(offset.value()) + " lies outside of [" +
                   std::to_string(start.value()) + ", " + std::to_string(committed.value()) + "]",
               offset};
}

}  // namespace

Result<std::shared_ptr<PartitionLog>> LogReads::log_of(OpenPartition& partition) { return partition.touch(); }

bool LogReads::open_again(OpenPartition& /*partition*/, const std::shared_ptr<PartitionLog>& /*log*/) { return false; }

Result<LogReads::Readable> LogReads::readable(const TopicPartition& partition) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  return found ? readable(*found) : found.error();
}

Result<LogReads::Readable> LogReads::readable(const std::shared_ptr<OpenPartition>& partition) {
  for (;;) {
    auto [log, committed] = partition->shown();
    if (log) return Readable{std::move(log), partition->topic(), committed, partition};
    if (const Result<std::shared_ptr<PartitionLog>> opened = log_of(*partition); !opened) return opened.error();
  }
}

/// For who reads from `offset` on, or back from it.
Result<LogReads::Readable> LogReads::readable_at(const TopicPartition& partition, Offset offset, bool null_will_do) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  if (null_will_do && (*found)->end_of_nothing() == offset) return Readable{nullptr, (*found)->topic(), offset, *found};
  Result<Readable> at = readable(*found);
  if (!at) return at;
  if (const std::optional<Error>& cause = at->log->unreadable_since_opening()) return *cause;
  const Offset start = at->log->start();
  if (offset < start || offset > at->committed) return outside(partition, offset, start, at->committed);
  return at;
}

/// Reads where `find` says, again where a file of what it found has gone meanwhile.
template <class Find, class Read>
std::invoke_result_t<Read, const LogReads::Readable&> LogReads::read_from(Find find, Read read) {
  for (int attempt = 1;; ++attempt) {
    const Result<Readable> at = find();
    if (!at) return at.error();
    auto result = read(*at);
    if (result || result.error() != Errc::not_found || attempt == kAttempts || !open_again(*at->partition, at->log)) {
      return result;
    }
  }
}

Result<Fetched> LogReads::read(const TopicPartition& partition, Offset from, std::size_t bytes_max) {
  return read_from([&] { return readable_at(partition, from, true); },
                   [&](const Readable& at) -> Result<Fetched> {
                     if (from < at.committed) return at.log->read(from, at.committed, bytes_max, at.topic, partition.partition);
                     return Fetched{nullptr, {}, from, Position{at.topic, partition.partition, from, kNoEpoch}, at.committed};
                   });
}

Result<FileRange> LogReads::read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max) {
  return read_from(
      [&] { return readable_at(partition, from); },
      [&](const Readable& at) { return at.log->read_range(from, at.committed, bytes_max, at.topic, partition.partition); });
}

Result<Fetched> LogReads::read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) {
  return read_from(
      [&] { return readable_at(partition, end); },
      [&](const Readable& at) { return at.log->read_back(end, at.committed, bytes_max, at.topic, partition.partition); });
}

Result<KeyRecords> LogReads::read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                                      std::size_t records_max) {
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(partition.topic);
  if (!topic) return topic.error();
  if (!(*topic)->info.spec.streams) {
    return Error{Errc::unsupported, "topic " + partition.topic + " has no stream index: it was made without `streams`"};
  }
  return read_from([&] { return readable(partition); },
                   [&](const Readable& at) { return at.log->read_key(key, begin, std::min(end, at.committed), records_max); });
}

std::vector<DamagedRange> LogReads::damage(const TopicPartition& partition) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return {};
  const Result<std::shared_ptr<PartitionLog>> log = log_of(**found);
  return log ? (*log)->damage() : std::vector<DamagedRange>{};
}

Result<Ends> LogReads::ends(const TopicPartition& partition) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  if (const std::optional<Offset> end = (*found)->end_of_nothing()) return Ends{*end, *end, *end, *end};
  const Result<Readable> at = readable(*found);
  if (!at) return at.error();
  return Ends{at->log->start(), at->committed, at->log->synced_end(), at->log->written_end()};
}

Result<std::optional<Offset>> LogReads::offset_at(const TopicPartition& partition, Timestamp time) {
  return read_from([&] { return readable(partition); },
                   [&](const Readable& at) { return at.log->offset_at(time, at.committed); });
}

Result<std::optional<Offset>> LogReads::offset_at_of_what_is_left(const TopicPartition& partition, Timestamp time) {
  return read_from([&] { return readable(partition); },
                   [&](const Readable& at) { return at.log->offset_at_of_what_is_left(time, at.committed); });
}

Result<void> LogReads::validate(std::string_view topic, const Position& position) {
  const TopicPartition name{std::string(topic), position.partition};
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(name);
  if (!found) return found.error();
  const auto refused = [&](Errc code, const std::string& why) {
    return Error{code, to_string(name) + " at offset " + std::to_string(position.offset.value()) + ": " + why, position.offset};
  };
  if (position.topic != (*found)->topic()) {
    return refused(Errc::position_diverged, "the position is of topic id " + to_string(position.topic) + ", the log's is " +
                                                to_string((*found)->topic()));
  }
  const Result<std::shared_ptr<PartitionLog>> touched = log_of(**found);
  if (!touched) return touched.error();
  PartitionLog* const log = touched->get();
  if (const std::optional<Error>& cause = log->unreadable_since_opening()) return *cause;
  if (position.offset < log->start()) {
    return refused(Errc::history_trimmed, "the log starts at " + std::to_string(log->start().value()));
  }
  if (position.epoch == kNoEpoch) {
    // Nothing was consumed when it was stored, so no epoch can tell more.
    if (position.offset <= (*found)->committed()) return {};
    return refused(Errc::position_diverged, "the log ends at " + std::to_string((*found)->committed().value()));
  }
  const std::optional<Offset> epoch_end = log->end_of_epoch(position.epoch);
  if (!epoch_end) {
    return refused(Errc::position_diverged, "the log has no epoch " + std::to_string(position.epoch.value()));
  }
  if (*epoch_end < position.offset) {
    return refused(Errc::position_diverged,
                   "epoch " + std::to_string(position.epoch.value()) + " ends at " + std::to_string(epoch_end->value()));
  }
  return {};
}

EventLog::NotifyToken LogReads::notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) {
    notify();  // whoever looks now learns the reason from the read
    return nullptr;
  }
  return (*found)->notify_above(end, std::move(notify));
}

}  // namespace lungo
