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

Error outside(const TopicPartition& partition, Offset offset, Offset start, Offset committed) {
  return Error{Errc::offset_out_of_range,
               to_string(partition) + ": offset " + std::to_string(offset.value()) + " lies outside of [" +
                   std::to_string(start.value()) + ", " + std::to_string(committed.value()) + "]",
               offset};
}

}  // namespace

Result<Fetched> LogReads::read(const TopicPartition& partition, Offset from, std::size_t bytes_max) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  const OpenPartition& open = **found;
  const std::shared_ptr<PartitionLog> log = open.log();
  if (const std::optional<Error>& cause = log->unreadable_since_opening()) return *cause;
  const Offset committed = open.committed();
  if (from < log->start() || from > committed) return outside(partition, from, log->start(), committed);
  if (from == committed) {
    return Fetched{nullptr, {}, from, Position{open.topic(), partition.partition, from, kNoEpoch}, committed};
  }
  return log->read(from, committed, bytes_max, open.topic(), partition.partition);
}

Result<FileRange> LogReads::read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  const OpenPartition& open = **found;
  const std::shared_ptr<PartitionLog> log = open.log();
  if (const std::optional<Error>& cause = log->unreadable_since_opening()) return *cause;
  const Offset committed = open.committed();
  if (from < log->start() || from > committed) return outside(partition, from, log->start(), committed);
  return log->read_range(from, committed, bytes_max, open.topic(), partition.partition);
}

Result<Fetched> LogReads::read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  const OpenPartition& open = **found;
  const std::shared_ptr<PartitionLog> log = open.log();
  if (const std::optional<Error>& cause = log->unreadable_since_opening()) return *cause;
  const Offset committed = open.committed();
  if (end < log->start() || end > committed) return outside(partition, end, log->start(), committed);
  return log->read_back(end, committed, bytes_max, open.topic(), partition.partition);
}

Result<KeyRecords> LogReads::read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                                      std::size_t records_max) {
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(partition.topic);
  if (!topic) return topic.error();
  if (!(*topic)->info.spec.streams) {
    return Error{Errc::unsupported, "topic " + partition.topic + " has no stream index: it was made without `streams`"};
  }
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  return (*found)->log()->read_key(key, begin, std::min(end, (*found)->committed()), records_max);
}

std::vector<DamagedRange> LogReads::damage(const TopicPartition& partition) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  return found ? (*found)->log()->damage() : std::vector<DamagedRange>{};
}

Result<Ends> LogReads::ends(const TopicPartition& partition) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  const std::shared_ptr<PartitionLog> log = (*found)->log();
  return Ends{log->start(), (*found)->committed(), log->synced_end(), log->written_end()};
}

Result<std::optional<Offset>> LogReads::offset_at(const TopicPartition& partition, Timestamp time) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(partition);
  if (!found) return found.error();
  return (*found)->log()->offset_at(time, (*found)->committed());
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
  const std::shared_ptr<PartitionLog> log = (*found)->log();
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
