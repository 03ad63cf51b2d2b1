// The read-only form of the embedded log: another process's live directory, or a stopped one.
//
// A partition is opened by who first uses it. From then on an activity, which looks at the tail page every 2 to 20 ms, shows
// what the writer has done since: new records, records that are deleted; topics that come, change and go, a new writer. Without
// a page, or with one that promises more than the segments hold, it shows what is known to be synced.
//
// Files that are open stay readable when the writer removes or exchanges them. Of those that the cache has closed, the next use
// answers not_found: then the partition is opened again, by who met it.
// Threads: any.
#pragma once

#include <map>
#include <mutex>

#include "log_dir.hpp"
#include "log_reads.hpp"
#include "tail_page.hpp"

namespace lungo {

class TailingEventLog : public LogReads, private Activity {
 public:
  /// Errors: not_found when there is no data directory; newer_format; corrupt; io.
  static Result<std::shared_ptr<EventLog>> open(Ports ports, const std::string& directory);
  ~TailingEventLog() override;

  /// Errors: unsupported.
  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  /// Answers unsupported.
  void append(AppendRequest request, Completion completion) override;
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override;
  bool read_only() const override { return true; }

 private:
  TailingEventLog(Ports ports, std::unique_ptr<LogDir> dir);

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-tail"; }
  bool may_step_again() const override { return true; }

  Result<bool> follow();
  Result<bool> look();
  Result<void> follow_directory();
  void close_deleted_topics();
  void open_topics();
  void reopen_logs();
  Result<std::shared_ptr<PartitionLog>> open_log(const TopicPartition& partition, const OpenTopic& topic,
                                                 Offset start = Offset{0});
  Result<void> check_topic(const std::string& directory, const OpenTopic& topic);
  Result<void> follow_start(OpenPartition& partition, const OpenTopic& topic, Offset start);
  Result<bool> show(const TailState& tail);
  Result<bool> show(OpenPartition& partition, const OpenTopic& topic, const TailPlace& published);
  Result<Offset> refresh(OpenPartition& partition, const OpenTopic& topic, Offset end);
  Result<std::shared_ptr<PartitionLog>> log_of(OpenPartition& partition) override;
  bool open_again(OpenPartition& partition, const std::shared_ptr<PartitionLog>& log) override;
  Result<std::shared_ptr<PartitionLog>> opened(OpenPartition& partition, const std::shared_ptr<PartitionLog>& instead_of);
  TailPlace place_of(const OpenPartition& partition, const OpenTopic& topic);
  [[nodiscard]] Offset known_end(const TopicPartition& partition) const;

  // Held while a log is opened, refreshed or replaced, so that none of a partition's has less than readers see.
  std::mutex logs_mutex_;
  const std::unique_ptr<LogDir> dir_;                  // changed under logs_mutex_, its topics by the activity alone
  Instant points_until_{};                             // so long its recovery points will do; under logs_mutex_
  std::map<TopicPartition, Offset> promised_in_vain_;  // ends of the page that are not there; under logs_mutex_
  LeaderEpoch logs_epoch_ = kNoEpoch;                  // the incarnation that the open logs are of
  std::size_t places_seen_ = 0;                        // of the page that the open topics are not behind
  std::optional<std::int64_t> changes_seen_;
  Duration pause_{};
  bool failure_logged_ = false;
  std::unique_ptr<RunningActivity> running_;  // last: steps at once
};

}  // namespace lungo
