// A whole EventLog in memory: the fast fake for tests of everything above log/.
//
// Faithful in what the framework depends on: real record batches, conditions, idempotency keys, one-shot notify, three ends,
// epochs and diverged positions. It forgets everything with the object, has no size limits and never fails by itself.
// By default an append is committed, and its completion runs, before append() returns. hold_commits() separates the two.
// Threads: any; one mutex, never held while a completion or a notification runs.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo::test {

class MemoryEventLog : public EventLog {
 public:
  /// The ports must outlive the log.
  explicit MemoryEventLog(Ports ports);
  ~MemoryEventLog() override;

  Result<TopicInfo> create_topic(const TopicSpec& spec) override;
  Result<TopicInfo> topic(std::string_view name) override;
  Result<std::vector<TopicInfo>> topics() override;
  void append(AppendRequest request, Completion completion) override;
  Result<Fetched> read(const TopicPartition& partition, Offset from, std::size_t bytes_max) override;
  Result<Fetched> read_back(const TopicPartition& partition, Offset end, std::size_t bytes_max) override;
  Result<KeyRecords> read_key(const TopicPartition& partition, std::string_view key, Offset begin, Offset end,
                              std::size_t records_max) override;
  Result<Ends> ends(const TopicPartition& partition) override;
  Result<std::optional<Offset>> offset_at(const TopicPartition& partition, Timestamp time) override;
  Result<void> validate(std::string_view topic, const Position& position) override;
  NotifyToken notify_above(const TopicPartition& partition, Offset end, std::function<void()> notify) override;
  Ports ports() override { return ports_; }
  std::optional<std::string> directory() const override { return std::nullopt; }
  bool read_only() const override { return false; }

  // What only a test can do.

  /// From now on appends are written but neither committed nor completed until commit_held().
  void hold_commits();
  /// Commits what was held, in order, and goes back to committing at once unless `keep_holding`.
  void commit_held(bool keep_holding = false);
  /// A power cut and recovery: what was not committed is gone, its completions never run, a new epoch begins.
  void crash();
  /// Cuts a partition behind its readers' backs, as a lost disk would; a new epoch begins.
  void cut(const TopicPartition& partition, Offset end);
  /// Makes reads below `start` fail, as retention would.
  void trim(const TopicPartition& partition, Offset start);
  /// The next `count` appends, behind the first so many, complete with `error`; nothing is written.
  void fail_appends(int count, Error error, int behind = 0);
  /// Called before each read(); it may throw, as a broken invariant would. An empty function ends it.
  void on_read(std::function<void(const TopicPartition&)> hook);
  [[nodiscard]] std::size_t append_calls() const;

 private:
  struct Partition;
  struct Topic;
  struct Held;
  struct Notification;

  Partition* find(const TopicPartition& partition);
  std::optional<Result<Appended>> refused_or_repeated(Partition& partition, const AppendRequest& request) const;
  Appended write(Partition& partition, const EncodedRecords& records);
  void cut_locked(Partition& partition, Offset end);
  std::vector<std::function<void()>> take_due_locked();

  Ports ports_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::map<std::uint64_t, Notification> notifications_;
  std::vector<Held> held_;
  bool holding_ = false;
  std::int32_t epoch_ = 0;
  std::uint64_t next_token_ = 0;
  std::uint8_t next_topic_ = 1;
  std::size_t append_calls_ = 0;
  std::function<void(const TopicPartition&)> read_hook_;
  int failures_left_ = 0;
  int appends_before_failures_ = 0;
  Error failure_{Errc::io, "no failure was asked for"};
  std::shared_ptr<MemoryEventLog*> self_;  // tokens that outlive the log find it gone
};

}  // namespace lungo::test
