#include "import/resume.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/log/text.hpp>

#include "import/ingest_chain.hpp"

namespace tracker {
namespace {

using lungo::Result;

// What the log has of a file behind its marks.
struct Tail {
  std::vector<std::uint64_t> done;                 // per lane
  std::vector<lungo::Offset> from;                 // per lane: where it begins
  std::map<std::uint64_t, std::uint64_t> by_line;  // of Requests: line -> who and when
  std::uint64_t last_line = 0;
};

// The place that an l.id of this file names; nothing for other records.
std::optional<std::uint64_t> place_in(std::string_view id, std::string_view file) {
  if (id.size() <= file.size() || !id.starts_with(file) || id[file.size()] != ':') return std::nullopt;
  id.remove_prefix(file.size() + 1);
  const std::optional<std::uint64_t> line = lungo::take_number<std::uint64_t>(id);
  if (!line) return std::nullopt;
  return place_of(*line, !id.empty());
}

const ImportProgress* record_of(const std::vector<ImportProgress>& records, const lungo::TopicPartition& partition) {
  for (const ImportProgress& record : records) {
    if (record.topic == partition.topic && record.partition == partition.partition.value()) return &record;
  }
  return nullptr;
}

// Where events of lines behind the mark may lie. Of an older record, which names no topic, no offset above the end counts.
lungo::Offset begin_of_tail(const ImportProgress* record, const lungo::TopicInfo& topic, const lungo::Ends& ends) {
  if (record == nullptr) return ends.start;
  const bool is_known = record->topic_id != lungo::TopicId{}.bytes;
  const lungo::Offset next{record->next_offset};
  if ((is_known && record->topic_id != topic.id.bytes) || next > ends.committed) return ends.start;
  return std::max(next, ends.start);
}

Result<Tail> scan_tail(lungo::EventStore store, const std::string& file, const std::vector<ImportProgress>& records,
                       const BatchedAppends& appends) {
  Tail tail;
  for (std::size_t lane = 0; lane < appends.lanes(); ++lane) {
    const lungo::TopicPartition& partition = appends.partition(lane);
    const ImportProgress* record = record_of(records, partition);
    std::uint64_t done = record != nullptr ? place_of(record->lines, !record->inside_line) : 0;
    Result<lungo::TopicInfo> topic = store.topic(partition.topic);
    if (!topic) return topic.error();
    const Result<lungo::Ends> ends = store.log().ends(partition);
    if (!ends) return ends.error();
    const lungo::Offset from = begin_of_tail(record, *topic, *ends);
    lungo::PartitionReader reader{store.log(), *topic, {topic->id, partition.partition, from, lungo::kNoEpoch}};
    while (true) {
      Result<const lungo::Envelope*> next = reader.next();
      if (!next) return next.error();
      if (*next == nullptr) break;
      const lungo::Envelope& envelope = **next;
      const std::optional<std::uint64_t> place = place_in(envelope.id, file);
      if (!place) continue;
      done = std::max(done, *place);
      tail.last_line = std::max(tail.last_line, *place / 2);
      if (envelope.type == lungo::event_name<Request>()) {
        tail.by_line[*place / 2] = who_and_when(envelope.stream, envelope.time);
      }
    }
    tail.done.push_back(done);
    tail.from.push_back(from);
  }
  return tail;
}

// Reads the source up to the marks' bytes; true with the hash as of the first mark when each mark's hash is met.
Result<bool> meets_marks(ByteSource& source, const std::vector<LogMark>& marks, RollingHash& at_first) {
  Result<void> rewound = source.rewind();
  if (!rewound) return rewound.error();
  RollingHash hash = at_first;
  std::vector<char> block(256u << 10);
  std::uint64_t position = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    while (position < marks[i].bytes) {
      const std::uint64_t wanted = std::min<std::uint64_t>(block.size(), marks[i].bytes - position);
      Result<std::size_t> got = source.read(std::span{block}.first(static_cast<std::size_t>(wanted)));
      if (!got) return got.error();
      if (*got == 0) return false;
      hash.add({block.data(), *got});
      position += *got;
    }
    if (hash.value() != marks[i].hash) return false;
    if (i == 0) at_first = hash;
  }
  return true;
}

Result<std::unique_ptr<LineReader>> reader_at(std::unique_ptr<ByteSource> source, const RollingHash& hash,
                                              const LogMark& mark) {
  Result<void> rewound = source->rewind();
  if (!rewound) return rewound.error();
  Result<std::uint64_t> skipped = source->skip(mark.bytes);
  if (!skipped) return skipped.error();
  return std::make_unique<LineReader>(std::move(source), hash, mark);
}

// Goes over the lines that the tail names and asks whether they are the tail's. Appends nothing.
Result<bool> rehearse(LineReader& reader, const Secret& secret, const Tail& tail) {
  IngestChain chain{secret};
  Draft draft;
  auto expected = tail.by_line.begin();
  while (expected != tail.by_line.end()) {
    Result<std::optional<Line>> next = reader.next();
    if (!next) return next.error();
    std::optional<Line> line = *next;
    if (!line) line = reader.rest();
    if (!line) return false;
    while (expected != tail.by_line.end() && expected->first < line->number) ++expected;
    if (expected == tail.by_line.end() || expected->first != line->number || line->continues) continue;
    if (chain.run(line->text, draft) || who_and_when(draft.stream, draft.time()) != expected->second) return false;
    ++expected;
  }
  return true;
}

// 16 digits.
std::string hex(std::uint64_t value) {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(value >> (56 - 8 * i));
  return lungo::to_hex(bytes);
}

std::string fingerprint_of(std::string_view first_line, const Secret& secret) {
  return hex(secret.hash64("first-line", first_line));
}

// A file of which the log has nothing but its name could be any that begins so, and is taken when no other one fits.
enum class Likeness { proven, first_line };

// The starting point when the source is the known file `file`, otherwise nothing; `source` is kept in that case.
Result<std::optional<StartingPoint>> resume(lungo::EventStore store, const ProgressBook& book, const Secret& secret,
                                            const BatchedAppends& appends, const std::string& file, Likeness likeness,
                                            std::unique_ptr<ByteSource>& source) {
  const std::vector<ImportProgress> records = book.of(file);
  std::vector<LogMark> marks;
  for (const ImportProgress& record : records) marks.push_back(record.mark());
  std::sort(marks.begin(), marks.end(), [](const LogMark& a, const LogMark& b) { return a.bytes < b.bytes; });
  const bool only_begun = marks.front().bytes == 0;
  if (likeness == Likeness::first_line && !only_begun) return std::optional<StartingPoint>{};
  RollingHash hash = mark_hash(secret);
  Result<bool> met = meets_marks(*source, marks, hash);
  if (!met) return met.error();
  if (!*met) return std::optional<StartingPoint>{};

  Result<Tail> tail = scan_tail(store, file, records, appends);
  if (!tail) return tail.error();
  if (likeness == Likeness::proven && only_begun && tail->by_line.empty()) return std::optional<StartingPoint>{};
  if (tail->last_line > marks.front().lines) {
    Result<std::unique_ptr<LineReader>> rehearsal = reader_at(std::move(source), hash, marks.front());
    if (!rehearsal) return rehearsal.error();
    Result<bool> same = rehearse(**rehearsal, secret, *tail);
    source = (*rehearsal)->release();
    if (!same) return same.error();
    if (!*same) return std::optional<StartingPoint>{};
  }

  StartingPoint start;
  start.file = file;
  Result<std::unique_ptr<LineReader>> reader = reader_at(std::move(source), hash, marks.front());
  if (!reader) return reader.error();
  start.reader = std::move(*reader);
  start.counts = *std::min_element(records.begin(), records.end(),
                                   [](const ImportProgress& a, const ImportProgress& b) { return a.bytes < b.bytes; });
  start.done = std::move(tail->done);
  start.tail = std::move(tail->from);
  start.is_new = false;
  return std::optional<StartingPoint>{std::move(start)};
}

}  // namespace

RollingHash mark_hash(const Secret& secret) { return RollingHash{secret.hash64("import-mark", "")}; }

std::uint64_t who_and_when(std::string_view stream, lungo::Timestamp time) {
  return XXH3_64bits_withSeed(stream.data(), stream.size(), static_cast<XXH64_hash_t>(time.time_since_epoch().count()));
}

Result<StartingPoint> find_starting_point(lungo::EventStore store, const ProgressBook& book, const OpenFiles& open_files,
                                          const Secret& secret, const BatchedAppends& appends, const FirstLine& first,
                                          std::unique_ptr<ByteSource> source) {
  const std::string fingerprint = fingerprint_of(first.text, secret);
  const std::vector<std::string> known = book.files_like(fingerprint);
  std::vector<std::string> candidates = known;
  for (const auto& [file, bytes] : book.files_begun_in_first_line()) {
    if (bytes < first.text.size() && file.starts_with(fingerprint_of(std::string_view{first.text}.substr(0, bytes), secret)))
      candidates.push_back(file);
  }
  std::erase_if(candidates, [&](const std::string& file) { return open_files.has(file); });
  for (const Likeness likeness : {Likeness::proven, Likeness::first_line}) {
    for (const std::string& file : candidates) {
      Result<std::optional<StartingPoint>> resumed = resume(store, book, secret, appends, file, likeness, source);
      if (!resumed) return resumed.error();
      if (*resumed) return std::move(**resumed);
    }
  }
  StartingPoint start;
  start.file = fingerprint;
  if (!known.empty()) start.file += "-" + std::to_string(known.size() + 1);
  Result<std::unique_ptr<LineReader>> reader = reader_at(std::move(source), mark_hash(secret), LogMark{});
  if (!reader) return reader.error();
  start.reader = std::move(*reader);
  start.counts.drops.assign(kDropReasons, 0);
  if (!first.ended) start.counts.first_line_bytes = first.text.size();
  start.done.assign(appends.lanes(), 0);
  start.tail.assign(appends.lanes(), lungo::Offset{});
  return start;
}

}  // namespace tracker
