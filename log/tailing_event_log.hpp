// The read-only form of the embedded log: another process's live directory, or a stopped one.
//
// An activity looks at the tail page every 2 to 20 ms and shows what the writer has committed since: new records, new topics, a
// new writer. Without a page, or with one that promises more than the segments hold, it shows what is known to be synced.
// Threads: any.
#pragma once

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
  bool read_only() const override { return true; }

 private:
  TailingEventLog(Ports ports, std::unique_ptr<LogDir> dir);

  Instant step(Instant now) override;
  std::string_view name() const override { return "lungo-tail"; }

  Result<bool> follow();
  Result<void> open_new_topics();
  Result<void> reopen_logs();
  Result<std::shared_ptr<PartitionLog>> open_log(const TopicPartition& partition, const TopicSpec& spec);
  [[nodiscard]] std::size_t places_known(bool in_order) const;
  Result<bool> show(const TailState& tail);
  [[nodiscard]] Offset known_end(const TopicPartition& partition) const;

  const std::unique_ptr<LogDir> dir_;  // the activity's own, after open()
  LeaderEpoch logs_epoch_ = kNoEpoch;  // the incarnation that the open logs are of
  Duration pause_{};
  bool failure_logged_ = false;
  std::unique_ptr<RunningActivity> running_;  // last: steps at once
};

}  // namespace lungo
