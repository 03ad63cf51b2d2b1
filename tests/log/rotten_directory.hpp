// A data directory with files of every kind, one byte of which is to rot, and what must hold of it then: each record is read as
// it was written, or its loss is told; none is served that was not written.
#pragma once

#include <gtest/gtest.h>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/log/producer_batches.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {

inline const std::string kRotDirectory = "/data";

/// What a partition has answered for while it was whole.
struct Promised {
  std::map<Offset, TestRecord> ever;  // each record that was written, deleted ones too
  std::set<Offset> kept;              // those that the directory holds, and can be read
  std::map<Offset, LeaderEpoch> epochs;
  Offset start;
  Offset end;
};

/// A process over a disk.
class RotMachine {
 public:
  explicit RotMachine(std::unique_ptr<SimDisk> disk = std::make_unique<SimDisk>()) : simulation(1, std::move(disk)) {}
  ~RotMachine() { log.reset(); }
  RotMachine(const RotMachine&) = delete;
  RotMachine& operator=(const RotMachine&) = delete;

  /// Errors: as open_local().
  Result<void> open(bool read_only) {
    log.reset();
    LocalOptions options;
    options.ports = &ports;
    options.read_only = read_only;
    Result<std::shared_ptr<EventLog>> opened = open_local(kRotDirectory, options);
    if (!opened) return opened.error();
    log = *opened;
    return {};
  }
  void append(const TopicPartition& to, const std::vector<TestRecord>& records) {
    AppendRequest request;
    request.to = to;
    request.records = encode(records);
    ASSERT_TRUE(append_wait(*log, std::move(request)));
  }
  void produce(const TopicPartition& to, const Produced& batch) {
    ASSERT_TRUE(log->appender(to).value()->append_batch(encode(batch)));
  }

  Simulation simulation;
  const Ports ports = simulation.ports();
  std::shared_ptr<EventLog> log;
};

/// A directory with one topic, which was stopped or killed.
struct RotSubject {
  TopicPartition partition{"t", PartitionId{0}};
  std::unique_ptr<SimDisk> disk;
  Promised promised;
  std::optional<Produced> last_batch;  // of its producer, where it has one
  std::optional<TestRecord> last_id;   // of a record with an id, where it is asked for
  bool streams = false;
  bool gaps = false;  // offsets may be missing
};

/// Every file below the directory, with its size.
inline void list_files(SimDisk& disk, const std::string& directory, std::map<std::string, std::uint64_t>& files) {
  for (const DirEntry& entry : disk.list(directory).value()) {
    const std::string path = directory + "/" + entry.name;
    if (entry.is_directory) {
      list_files(disk, path, files);
    } else {
      files[path] = disk.open(path, OpenMode::read).value()->size().value();
    }
  }
}

inline void rot(SimDisk& disk, const std::string& path, std::uint64_t position, std::byte mask) {
  const std::unique_ptr<File> file = disk.open(path, OpenMode::read_write).value();
  std::byte byte{};
  ASSERT_EQ(file->read_at(position, {&byte, 1}).value(), 1u);
  byte ^= mask;
  ASSERT_TRUE(file->write_at(position, {&byte, 1}));
}

inline bool tells_of_damage(const Error& error) {
  return error == Errc::corrupt || error == Errc::newer_format || error == Errc::partition_failed;
}

/// Looks at a partition after a byte has rotted.
class RotCheck {
 public:
  RotCheck(const RotSubject& subject, EventLog& log) : subject_(subject), log_(log) {}

  /// All that can be read; of the records, those in [from, end).
  void look(Offset from = Offset{0}, Offset end = Offset{std::numeric_limits<std::int64_t>::max()}) {
    const Result<Ends> ends = log_.ends(subject_.partition);
    if (!ends) {
      ASSERT_TRUE(tells_of_damage(ends.error())) << ends.error();
      return;
    }
    ends_ = *ends;
    ASSERT_LE(ends_.start, subject_.promised.start) << "records are gone";
    from_ = std::max(from, ends_.start);
    end_ = std::min(end, ends_.committed);
    ASSERT_NO_FATAL_FAILURE(read_forwards());
    ASSERT_NO_FATAL_FAILURE(read_backwards());
    for (const Offset offset : subject_.promised.kept) {
      if (offset < from || offset >= end || (may_lag && offset >= ends_.committed)) continue;
      ASSERT_TRUE(seen_.contains(offset) || is_told(offset)) << "offset " << offset.value() << " is lost without a word";
    }
    ASSERT_TRUE(may_lag || ends_.committed >= subject_.promised.end) << "the end is lost";
    ASSERT_NO_FATAL_FAILURE(look_up_times());
    if (!subject_.streams) return;
    ASSERT_NO_FATAL_FAILURE(look_up_keys());
  }

  /// What an append that comes again is answered with, and where the next one goes to.
  void append() {
    const Promised& promised = subject_.promised;
    if (subject_.last_batch) {
      const Result<std::shared_ptr<Appender>> appender = log_.appender(subject_.partition);
      if (!appender) {
        ASSERT_TRUE(tells_of_damage(appender.error())) << appender.error();
        return;
      }
      const Result<Appended> again = (*appender)->append_batch(encode(*subject_.last_batch));
      if (again) {
        ASSERT_TRUE(again->repeated) << "a producer's batch was written twice";
        ASSERT_EQ(again->end, promised.end);
      } else {
        ASSERT_TRUE(tells_of_damage(again.error()) || again.error() == Errc::out_of_sequence) << again.error();
      }
    }
    if (subject_.last_id) {
      AppendRequest request;
      request.to = subject_.partition;
      request.records = encode(std::vector{*subject_.last_id});
      request.since = promised.start;
      const Result<Appended> again = append_wait(log_, std::move(request));
      if (again) {
        ASSERT_TRUE(again->repeated) << "a record was written twice";
      } else {
        ASSERT_TRUE(tells_of_damage(again.error())) << again.error();
      }
    }
    const TestRecord next{.key = "next", .value = "new"};
    AppendRequest request;
    request.to = subject_.partition;
    request.records = encode(std::vector{next});
    const Result<Appended> appended = append_wait(log_, std::move(request));
    if (!appended) {
      ASSERT_TRUE(tells_of_damage(appended.error())) << appended.error();
      return;
    }
    ASSERT_GE(appended->first, promised.end);
    for (const auto& [offset, epoch] : promised.epochs) ASSERT_GT(appended->epoch, epoch) << "an epoch comes again";
    const Result<Fetched> fetched = log_.read(subject_.partition, appended->first, 1);
    ASSERT_TRUE(fetched) << fetched.error();
    RecordCursor cursor = fetched->records();
    const RecordView* const record = cursor.next();
    ASSERT_NE(record, nullptr);
    ASSERT_EQ(decode(*record), next);
  }

  bool may_lag = false;  // readers in other processes, when `tail` has rotted

  [[nodiscard]] const std::set<Offset>& seen() const { return seen_; }
  [[nodiscard]] const std::map<Offset, LeaderEpoch>& epochs() const { return epochs_; }

 private:
  /// Every offset of it that was not read was told to be lost.
  bool is_told(Offset offset) {
    for (const DamagedRange& range : log_.damage(subject_.partition)) {
      if (range.from <= offset && offset < range.end) return true;
    }
    return told_from_ && *told_from_ <= offset;
  }

  void take(const Fetched& fetched) {
    RecordCursor cursor = fetched.records();
    while (const RecordView* record = cursor.next()) {
      const auto ever = subject_.promised.ever.find(record->offset);
      ASSERT_NE(ever, subject_.promised.ever.end()) << "offset " << record->offset.value() << " was never written";
      ASSERT_EQ(decode(*record), ever->second) << "offset " << record->offset.value();
      seen_.insert(record->offset);
    }
    ASSERT_FALSE(cursor.error()) << *cursor.error();
  }

  void read_forwards() {
    for (Offset at = from_; at < end_;) {
      Result<Fetched> fetched = log_.read(subject_.partition, at, 1);
      if (!fetched) {
        ASSERT_TRUE(tells_of_damage(fetched.error())) << fetched.error();
        fetched = read_with(log_, subject_.partition, at, 1, {.skip_damaged = true});
      }
      if (!fetched) {
        ASSERT_TRUE(tells_of_damage(fetched.error())) << fetched.error();
        told_from_ = at;
        return;
      }
      if (fetched->empty()) return;
      ASSERT_NO_FATAL_FAILURE(take(*fetched));
      ASSERT_GT(fetched->next().offset, at);
      epochs_[fetched->first()] = fetched->next().epoch;
      const auto epoch = subject_.promised.epochs.find(fetched->first());
      ASSERT_TRUE(epoch == subject_.promised.epochs.end() || fetched->next().epoch == epoch->second);
      at = fetched->next().offset;
    }
  }

  void read_backwards() {
    for (Offset at = end_; at > from_;) {
      Result<Fetched> fetched = read_back_with(log_, subject_.partition, at, 1, {.skip_damaged = true});
      if (!fetched) {
        ASSERT_TRUE(tells_of_damage(fetched.error())) << fetched.error();
        return;
      }
      if (fetched->empty()) return;
      ASSERT_NO_FATAL_FAILURE(take(*fetched));
      ASSERT_LT(fetched->first(), at);
      at = fetched->first();
    }
  }

  /// First record with at least this time.
  void look_up_times() {
    std::set<std::int64_t> times;
    for (const Offset offset : subject_.promised.kept) {
      if (from_ <= offset && offset < end_) times.insert(subject_.promised.ever.at(offset).time);
    }
    for (const std::int64_t time : times) {
      const Result<std::optional<Offset>> found =
          log_.offset_at(subject_.partition, Timestamp{std::chrono::milliseconds{time}});
      if (!found) {
        ASSERT_TRUE(tells_of_damage(found.error())) << found.error();
        continue;
      }
      std::optional<Offset> expected;
      for (const Offset offset : subject_.promised.kept) {
        if (offset < ends_.start || subject_.promised.ever.at(offset).time < time) continue;
        expected = offset;
        break;
      }
      if (may_lag && expected && *expected >= ends_.committed) expected.reset();
      if (*found && **found < subject_.promised.start) continue;  // records that were deleted and are back
      ASSERT_EQ(*found, expected) << "time " << time;
    }
  }

  void look_up_keys() {
    std::map<std::string, std::set<Offset>> by_key{{"never", {}}};
    for (const Offset offset : subject_.promised.kept) by_key[subject_.promised.ever.at(offset).key].insert(offset);
    for (const auto& [key, offsets] : by_key) {
      Offset at = subject_.promised.start;  // what lies below was looked up, or is told to be lost
      std::set<Offset> there;
      for (bool done = false; !done;) {
        const Result<KeyRecords> found = log_.read_key(subject_.partition, key, at, ends_.committed, 1000);
        ASSERT_TRUE(found || tells_of_damage(found.error())) << found.error();
        if (!found) break;
        for (const RecordView& record : found->records) {
          const auto ever = subject_.promised.ever.find(record.offset);
          ASSERT_NE(ever, subject_.promised.ever.end());
          ASSERT_EQ(decode(record), ever->second);
          there.insert(record.offset);
        }
        done = found->done;
        ASSERT_TRUE(done || found->next > at);
        at = done ? ends_.committed : found->next;
      }
      for (const Offset offset : offsets) {
        ASSERT_TRUE(there.contains(offset) || offset >= at) << "key " << key << ", offset " << offset.value();
      }
    }
  }

  const RotSubject& subject_;
  EventLog& log_;
  Ends ends_;
  Offset from_;
  Offset end_;
  std::optional<Offset> told_from_;  // all behind it
  std::set<Offset> seen_;
  std::map<Offset, LeaderEpoch> epochs_;
};

}  // namespace lungo::test
