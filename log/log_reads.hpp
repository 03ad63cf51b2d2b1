// What the writing and the read-only form of the embedded log share: everything of an EventLog that reads.
//
// Threads: any. Readers see committed records only and take no lock while they read.
#pragma once

#include <type_traits>

#include "open_topics.hpp"

namespace lungo {

class LogReads : public EventLog {
 public:
  LogReads(std::string directory, Ports ports) : directory_(std::move(directory)), ports_(ports) {}

  Result<TopicInfo> topic(std::string_view name) override;
  Result<std::vector<TopicInfo>> topics() override;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override;
  Result<FileRange> read_range(const TopicPartition& partition, Offset from, std::uint64_t bytes_max) override;
  Result<Fetched> read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) override;
  Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                              std::size_t records_max) override;
  std::vector<DamagedRange> damage(const TopicPartition& partition) override;
  Result<Ends> ends(const TopicPartition& partition) override;
  Result<std::optional<Offset>> offset_at(const TopicPartition& partition, Timestamp time) override;
  Result<std::optional<Offset>> offset_at_of_what_is_left(const TopicPartition& partition, Timestamp time) override;
  Result<void> validate(std::string_view topic, const Position& position) override;
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override;
  Ports ports() override { return ports_; }
  std::optional<std::string> directory() const override { return directory_; }

 protected:
  /// The partition's log, opened now if nobody has used it before. Errors: why it can't be opened.
  virtual Result<std::shared_ptr<PartitionLog>> log_of(OpenPartition& partition);
  /// A read in `log` found that a file of it has gone. True: there is another one to read in by now.
  virtual bool open_again(OpenPartition& partition, const std::shared_ptr<PartitionLog>& log);

  OpenTopics open_topics_;

 private:
  struct Readable {
    std::shared_ptr<PartitionLog> log;  // null where nothing is there to read, if that will do
    TopicId topic;
    Offset committed;
    std::shared_ptr<OpenPartition> partition;
  };
  Result<Readable> readable(const TopicPartition& partition);
  Result<Readable> readable(const std::shared_ptr<OpenPartition>& partition);
  Result<Readable> readable_at(const TopicPartition& partition, Offset offset, bool null_will_do = false);
  template <class Find, class Read>
  std::invoke_result_t<Read, const Readable&> read_from(Find find, Read read);

  const std::string directory_;
  const Ports ports_;
};

}  // namespace lungo
