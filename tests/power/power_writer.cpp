// power_writer DIRECTORY LIFE SEED DESCRIPTOR: opens the log and writes to all lanes, each on a thread of its own, until it is
// killed. What is acknowledged goes to the page behind the descriptor, and so does every answer that can't be right.
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

#include "tests/power/report_page.hpp"

namespace lungo::test {
namespace {

/// Not to be gone on after: the text goes to the page.
struct Stop {
  bool is_wrong = false;  // and not only a call that failed, as calls do when the power goes
  std::string text;
};

template <class T>
T wanted(Result<T> result) {
  if (!result) throw Stop{.text = std::string(result.error().text())};
  return std::move(*result);
}

void wanted(const Result<void>& result) {
  if (!result) throw Stop{.text = std::string(result.error().text())};
}

void require(bool condition, const std::string& text) {
  if (!condition) throw Stop{.is_wrong = true, .text = text};
}

class LaneWriter {
 public:
  LaneWriter(EventLog& log, std::size_t number, std::uint32_t life, std::uint64_t seed, ReportPage& page)
      : log_(log),
        lane_(kLanes[number]),
        author_{.life = life},
        random_(seed + number),
        page_(page),
        report_(page.lanes[number]),
        name_(std::string(lane_.topic) + "-" + std::to_string(lane_.partition)) {}

  void run() {
    try {
      make_topic();
      while (report_.count < kAcknowledgedMax) {
        append();
        if (lane_.trims && random_.one_in(100)) trim();
        if (lane_.visits && random_.one_in(30)) visit_again();
      }
    } catch (const Stop& stop) {
      blame(stop.is_wrong, stop.text);
    } catch (const std::exception& error) {
      blame(true, error.what());
    }
  }

 private:
  void make_topic() {
    report_.presence = Presence::making;
    wanted(log_.create_topic(spec_of(lane_)));
    expect_power();
    report_.presence = Presence::there;
    appender_ = wanted(log_.appender(lane_.place()));
    const Ends ends = wanted(log_.ends(lane_.place()));
    next_ = ends.committed;
    if (lane_.streams) read_heads(ends.start);
  }

  void visit_again() {
    report_.presence = Presence::deleting;
    wanted(log_.delete_topic(lane_.topic));
    expect_power();
    report_.presence = Presence::gone;
    report_.count = 0;
    report_.visit = ++author_.visit;
    make_topic();
    require(next_ == Offset{0}, "a new topic begins at " + std::to_string(next_.value()));
  }

  void expect_power() const {
    if (page_.is_cut) throw Stop{.text = "the power is gone"};
  }

  void read_heads(Offset from) {
    while (from < next_) {
      const Fetched fetched = wanted(log_.read(lane_.place(), from, 64u << 10));
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) heads_[std::string(as_text(record->key))] = record->offset;
      from = fetched.next().offset;
    }
  }

  void append() {
    if (lane_.streams) return append_to_stream();
    const Durability durability =
        random_.one_in(50) ? (random_.one_in(2) ? Durability::synced : Durability::written) : Durability::committed;
    const bool is_synced =
        durability == Durability::synced || (durability == Durability::committed && lane_.ack_level == AckLevel::isr_sync);
    const std::uint64_t count = lane_.compression == Compression::none ? 1 : 1 + random_.below(30);
    EncodedRecords records;
    std::vector<std::uint32_t> checksums;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Offset offset = next_.plus(static_cast<std::int64_t>(i));
      const std::string value = lane_value(author_, offset, random_);
      wanted(records.add(fields(lane_.is_compacted ? compacted_key(offset) : name_, value)));
      checksums.push_back(parse_lane_value(value)->checksum);
    }
    const Offset first = next_;
    next_ = next_.plus(static_cast<std::int64_t>(count));
    if (!lane_.is_async) {
      note(appender_->append_wait(records, {.durability = durability}), first, checksums, is_synced);
      if (failed_) throw Stop{.text = failure_};
      return;
    }
    AppendRequest request;
    request.to = lane_.place();
    request.records = std::move(records);
    request.caller_waits = random_.one_in(32);  // so that not too many are under way
    request.durability = durability;
    log_.append(std::move(request), [this, first, checksums, is_synced](const Result<Appended>& appended) {
      note(appended, first, checksums, is_synced);
    });
    const std::lock_guard lock(mutex_);
    if (failed_) throw Stop{.text = failure_};
  }

  void append_to_stream() {
    const std::string key = "k" + std::to_string(random_.below(20));
    const std::string value = lane_value(author_, next_, random_);
    const std::string id = std::to_string(author_.life) + "/" + std::to_string(next_.value());
    const HeaderView header{.name = kIdHeader, .value = as_bytes(id)};
    RecordFields record = fields(key, value);
    record.headers = {&header, 1};
    const auto head = heads_.find(key);
    if (head != heads_.end() && random_.one_in(10)) {
      const Condition stale{.key = key, .as_of = head->second};
      const Result<Appended> refused = appender_->append_wait(fields(key, value), {.condition = &stale});
      if (!refused && refused.error().code() != Errc::conflict) wanted(refused);
      require(!refused, "a condition does not see offset " + std::to_string(head->second.value()));
    }
    const Condition fresh{.key = key, .as_of = next_};
    const bool is_conditional = random_.one_in(2);
    note(appender_->append_wait(record, {.condition = is_conditional ? &fresh : nullptr}), next_,
         {parse_lane_value(value)->checksum}, true);
    if (failed_) throw Stop{.text = failure_};
    if (random_.one_in(10)) {
      const Appended again = wanted(appender_->append_wait(record, {.since = next_}));
      require(again.repeated && again.first == next_, "an id is not known again at " + std::to_string(next_.value()));
    }
    heads_[key] = next_;
    next_ = next_.next();
  }

  void trim() {
    const Ends ends = wanted(log_.ends(lane_.place()));
    const Offset below =
        ends.start.plus(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(ends.committed - ends.start) + 1)));
    report_.start_asked = below.value();
    const Offset start = wanted(log_.delete_records(lane_.place(), below));
    expect_power();
    report_.start = start.value();
    require(start == below, "a start that nobody asked for");
  }

  void note(const Result<Appended>& appended, Offset first, const std::vector<std::uint32_t>& checksums, bool is_synced) {
    const std::lock_guard lock(mutex_);
    if (!appended) {
      failed_ = true;
      failure_ = appended.error().text();
      return;
    }
    if (page_.is_cut) return;
    const auto count = static_cast<std::int64_t>(checksums.size());
    if (appended->repeated || appended->first != first || appended->end != first.plus(count)) {
      return blame(
          true, "an append to offset " + std::to_string(first.value()) + " went to " + std::to_string(appended->first.value()));
    }
    for (std::int64_t i = 0; i < count; ++i) report_.add(first.plus(i), checksums[static_cast<std::size_t>(i)], is_synced);
    if (is_synced) ++page_.synced;
  }

  void blame(bool is_wrong, const std::string& text) { (is_wrong ? page_.wrong : page_.failed).set(name_ + ": " + text); }

  static RecordFields fields(std::string_view key, std::string_view value) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    return {.timestamp = now, .key = as_bytes(key), .value = as_bytes(value), .headers = {}};
  }

  EventLog& log_;
  const Lane& lane_;
  Author author_;
  Random random_;
  ReportPage& page_;
  LaneReport& report_;
  const std::string name_;
  std::shared_ptr<Appender> appender_;
  Offset next_{0};
  std::map<std::string, Offset> heads_;  // last record of each key

  std::mutex mutex_;
  bool failed_ = false;  // under mutex_
  std::string failure_;  // under mutex_
};

int write_until_killed(std::span<char*> arguments) {
  const SharedReport report(std::atoi(arguments[4]));
  ReportPage& page = report.page();
  LocalOptions options;
  options.compaction_interval = std::chrono::milliseconds{5};
  const Result<std::shared_ptr<EventLog>> log = open_local(arguments[1], options);
  if (!log) {
    page.failed.set("open: " + std::string(log.error().text()));
    return 1;
  }
  const auto life = static_cast<std::uint32_t>(std::atoi(arguments[2]));
  const std::uint64_t seed = std::strtoull(arguments[3], nullptr, 10);
  std::vector<std::unique_ptr<LaneWriter>> writers;
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < kLanes.size(); ++number) {
    writers.push_back(std::make_unique<LaneWriter>(**log, number, life, seed, page));
    threads.emplace_back([writer = writers.back().get()] { writer->run(); });
  }
  for (std::thread& thread : threads) thread.join();
  while (true) ::pause();
}

}  // namespace
}  // namespace lungo::test

int main(int count, char** arguments) {
  if (count != 5) return 2;
  return lungo::test::write_until_killed({arguments, 5});
}
