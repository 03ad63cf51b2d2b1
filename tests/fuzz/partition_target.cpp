// Recovery: a partition's directory of any bytes is opened, read in every way, written to and opened again.
//
//   input   = flags:u8 recoveryPoint:u8 start:u8 secondBase:u8 section*
//   section = see fuzz_input.hpp; its kind names the file (kFiles)
#include <lungo/log/partition_log.hpp>

#include <algorithm>
#include <map>

#include "batch_layout.hpp"
#include "batch_validation.hpp"
#include "epoch_history.hpp"
#include "synced_mark.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/partition_files.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

constexpr std::uint64_t kReadsPerByte = 16;
constexpr std::uint64_t kReadsFree = 5000;

struct Contents {
  Offset start;
  Offset end;
  std::vector<Digest> records;
  std::map<std::string, std::vector<Offset>> by_key;
  bool is_well_formed = true;  // and not only whole batches of nonsense
  friend bool operator==(const Contents& one, const Contents& other) {
    return one.start == other.start && one.end == other.end && one.records == other.records;
  }
  /// All that `less` has, and maybe more.
  [[nodiscard]] bool holds(const Contents& less) const {
    std::vector<Digest> all = records;
    std::vector<Digest> wanted = less.records;
    std::ranges::sort(all);
    std::ranges::sort(wanted);
    return start == less.start && end == less.end && std::ranges::includes(all, wanted);
  }
};

/// What a read from `offset` on that was refused has met: it lies there, or begins behind a gap, where the error says.
std::optional<DamagedRange> lost_at(PartitionLog& log, Offset offset, const Error& error) {
  for (const DamagedRange& range : log.damage()) {
    if (offset < range.end && (range.from <= offset || error.offset() == range.from)) return range;
  }
  return std::nullopt;
}

/// Up to each damaged range and behind it. Nothing where a read failed elsewhere.
std::optional<Contents> read_forward(PartitionLog& log) {
  Contents contents;
  contents.start = log.start();
  contents.end = log.written_end();
  for (Offset from = contents.start; from < contents.end;) {
    const Result<Fetched> fetched = log.read(from, contents.end, 1000, {}, {});
    if (!fetched) {
      const std::optional<DamagedRange> lost = lost_at(log, from, fetched.error());
      if (fetched.error() != Errc::corrupt || !lost) return std::nullopt;
      from = std::min(lost->end, contents.end);
      continue;
    }
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      require(record->offset >= from && record->offset < contents.end, "a record lies where it was asked for");
      add_record(contents.records.emplace_back(), *record);
      if (record->has_key) contents.by_key[std::string(as_text(record->key))].push_back(record->offset);
    }
    contents.is_well_formed = contents.is_well_formed && !cursor.error();
    if (fetched->empty()) break;
    require(fetched->next().offset > from && fetched->next().offset <= contents.end, "reading goes on");
    from = fetched->next().offset;
  }
  return contents;
}

/// What reading backwards finds; nothing where a read failed.
std::optional<std::size_t> count_backward(PartitionLog& log) {
  std::size_t records = 0;
  for (Offset end = log.written_end(); end > log.start();) {
    const Result<Fetched> fetched = log.read_back(end, log.written_end(), 1000, {}, {});
    if (!fetched) {
      std::optional<DamagedRange> lost;
      for (const DamagedRange& range : log.damage()) {
        if (range.from < end && fetched.error().offset() == range.from) lost = range;
      }
      if (fetched.error() != Errc::corrupt || !lost) return std::nullopt;
      end = lost->from;
      continue;
    }
    if (fetched->empty()) break;
    RecordCursor cursor = fetched->records();
    while (cursor.next() != nullptr) ++records;
    require(fetched->first() < end, "reading backwards goes on");
    end = fetched->first();
  }
  return records;
}

class Opened {
 public:
  Opened(Simulation& machine, const PartitionFiles& files) : machine_(machine), files_(files) {}

  Result<std::unique_ptr<PartitionLog>> open(std::optional<CleanEnd> clean) {
    return PartitionLog::open(machine_.ports(), kPartitionDirectory, files_.options, clean, files_.recovery_point);
  }

  void look() {
    const bool is_trusted = files_.clean || files_.recovery_point > Offset{0};
    const std::uint64_t reads_before = machine_.disk.reads();
    Result<std::unique_ptr<PartitionLog>> log = open(files_.clean);
    require(machine_.disk.reads() - reads_before <= kReadsFree + kReadsPerByte * files_.bytes, "opening takes bounded time");
    if (!log) return look_at_refusal(log.error());
    require((*log)->recovery().bytes_scanned <= files_.bytes, "no byte is scanned twice");
    require((*log)->start() <= (*log)->written_end() || files_.options.read_only, "a log starts before its end");
    const std::optional<Contents> contents = read_forward(**log);
    require(contents || is_trusted, "what recovery has read can be read");
    if (!contents) return;
    read_otherwise(**log, *contents);
    if (files_.options.read_only) return;
    if ((*log)->refused_since_opening()) return look_at_lost_end(**log, *contents);
    if (files_.has_producers) produce(**log);
    append(**log);
    const std::optional<Contents> written = read_forward(**log);
    require(written.has_value(), "and is read after an append");
    const bool was_damaged = !(*log)->damage().empty();
    const Result<CleanEnd> clean = (*log)->close();
    require(clean.has_value(), "a log can be closed");
    log->reset();
    open_again(*clean, *written, was_damaged);
    if (!is_trusted) open_again(std::nullopt, *written, was_damaged);  // or it finds what nobody has looked at before
  }

 private:
  /// It can be read, and no more.
  void look_at_lost_end(PartitionLog& log, const Contents& contents) {
    require(!log.damage().empty() && !log.close(), "writes are refused for damage only");
    const Result<std::unique_ptr<PartitionLog>> again = open(std::nullopt);
    require(again.has_value(), "what was opened opens");
    require((*again)->refused_since_opening().has_value() || files_.clean, "and refuses writes again");
    const std::optional<Contents> found = read_forward(**again);
    require(found && (*found == contents || files_.clean || files_.are_odd), "and holds the same");
  }

  void look_at_refusal(const Error& error) {
    require(error.code() != Errc::io && error.code() != Errc::no_space, "the disk has not failed");
    const std::size_t hash = machine_.disk.contents_hash();
    const Result<std::unique_ptr<PartitionLog>> again = open(files_.clean);
    // Its indexes are good now: by them a marker may fit that did not fit before, and reading tells of the damage.
    if (files_.clean && again) return;
    require(!again && again.error().code() == error.code(), "what is refused is refused again");
    require(machine_.disk.contents_hash() == hash, "and stays as it is");
  }

  void read_otherwise(PartitionLog& log, const Contents& contents) {
    for (const std::int64_t time : {std::int64_t{0}, std::int64_t{1000}, std::numeric_limits<std::int64_t>::max()}) {
      const auto found = log.offset_at(Timestamp{std::chrono::milliseconds{time}}, contents.end);
      if (found && *found) require(**found >= contents.start && **found < contents.end, "a time lies in the log");
    }
    if (!contents.is_well_formed || files_.are_odd) return;
    const std::optional<std::size_t> backward = count_backward(log);
    require(!backward || *backward >= contents.records.size(), "reading backwards finds all");
    if (!files_.options.streams || files_.has_streams || !log.damage().empty()) return;
    int looks = 0;
    for (const auto& [key, offsets] : contents.by_key) {
      if (++looks > 8) return;
      const Result<KeyRecords> found = log.read_key(key, contents.start, contents.end, 1u << 20);
      if (!found) continue;
      require(std::ranges::equal(found->records, offsets, {}, &RecordView::offset), "a stream has the records of its key");
    }
  }

  void append(PartitionLog& log) {
    const Offset end = log.written_end();
    EncodedRecords records;
    records.add({.timestamp = {}, .key = as_bytes("key"), .value = as_bytes("value"), .headers = {}}).value();
    GroupItem item{.records = &records, .condition = nullptr, .since = {}, .outcome = {}};
    log.append({&item, 1}, std::max(log.last_epoch(), LeaderEpoch{0}));
    require(item.outcome && *item.outcome && (*item.outcome)->first == end, "an append goes to the end");
    require(log.sync().value() == end.next(), "and is synced");
  }

  /// What the first batch of a producer is answered with is up to the snapshots.
  void produce(PartitionLog& log) {
    using namespace batch_layout;
    EncodedRecords records;
    records.add({.timestamp = {}, .key = as_bytes("key"), .value = as_bytes("produced"), .headers = {}}).value();
    const BytesView plain = records.stamp(Offset{0}, kNoEpoch);
    Bytes bytes(plain.begin(), plain.end());
    store_big_endian(bytes.data() + kProducerAt, std::int64_t{7});
    store_big_endian(bytes.data() + kProducerEpochAt, std::int16_t{0});
    store_big_endian(bytes.data() + kBaseSequenceAt, std::int32_t{0});
    mend_batches(bytes);
    ProducerBatch batch = ProducerBatch::validate(bytes, {.key_hashes = files_.options.streams}).value();
    const Offset end = log.written_end();
    GroupItem item{.records = nullptr, .condition = nullptr, .since = {}, .outcome = {}, .batch = &batch};
    log.append({&item, 1}, std::max(log.last_epoch(), LeaderEpoch{0}));
    require(item.outcome.has_value(), "a producer is answered");
    if (!*item.outcome) return;
    const Appended& appended = **item.outcome;
    require(appended.repeated ? log.written_end() == end : appended.first == end,
            "a producer's batch goes to the end, or nowhere");
  }

  /// Of a log with damage more may be found than before: between two damaged batches whole ones are looked for where the index
  /// says that some begin, and the opening before has made the index anew.
  void open_again(std::optional<CleanEnd> clean, const Contents& before, bool was_damaged) {
    const Result<std::unique_ptr<PartitionLog>> log = open(clean);
    require(log.has_value(), "what was closed opens");
    const std::optional<Contents> contents = read_forward(**log);
    require(contents && (*contents == before || files_.are_odd || (was_damaged && contents->holds(before))),
            "and holds the same");
  }

  Simulation& machine_;
  const PartitionFiles& files_;
};

}  // namespace

void fuzz_partition(BytesView input) {
  Simulation machine{1};
  const PartitionFiles files = put_partition_files(machine.disk, input);
  Opened{machine, files}.look();
}

}  // namespace lungo::test
