#include "tests/power/survivors.hpp"

namespace lungo::test {
namespace {

std::string at(Offset offset) { return "offset " + std::to_string(offset.value()); }

void require(bool condition, const Lane& lane, const std::string& text) {
  if (!condition) throw Fault{std::string(lane.topic) + "-" + std::to_string(lane.partition) + ": " + text};
}

template <class T>
T wanted(Result<T> result, const Lane& lane, const std::string& text) {
  require(result.has_value(), lane, text + ": " + (result ? "" : std::string(result.error().text())));
  return std::move(*result);
}

std::optional<LaneContents> read_from(EventLog& log, const Lane& lane, Offset start) {
  LaneContents contents{.start = start, .end = start, .records = {}};
  for (Offset from = start;;) {
    const Result<Fetched> fetched = log.read(lane.place(), from, 256u << 10);
    // Retention goes on beside us.
    if (!fetched && lane.is_brief && wanted(log.ends(lane.place()), lane, "ends").start > start) return std::nullopt;
    require(fetched.has_value(), lane, "reading: " + (fetched ? "" : std::string(fetched.error().text())));
    if (fetched->empty()) return contents;
    RecordCursor records = fetched->records();
    while (const RecordView* view = records.next()) {
      const std::optional<LaneRecord> record = parse_lane_value(as_text(view->value));
      require(record.has_value(), lane, at(view->offset) + ": no record of ours");
      const bool is_next = lane.is_compacted ? view->offset >= contents.end : view->offset == contents.end;
      require(is_next && record->offset == view->offset, lane,
              at(contents.end) + ": found " + at(view->offset) + ", written as " + at(record->offset));
      require(view->epoch >= contents.epoch, lane, at(view->offset) + ": the epoch goes back");
      contents.epoch = view->epoch;
      contents.records.emplace(view->offset, *record);
      contents.end = view->offset.next();
    }
    require(!records.error(), lane, "a malformed batch");
    from = fetched->next().offset;
    contents.end = from;
  }
}

LaneContents contents_of(EventLog& log, const Lane& lane) {
  while (true) {
    const Offset start = wanted(log.ends(lane.place()), lane, "ends").start;
    if (std::optional<LaneContents> contents = read_from(log, lane, start)) return std::move(*contents);
  }
}

/// What both have is the same.
void expect_same(const Lane& lane, const LaneContents& before, const LaneContents& now) {
  for (const auto& [offset, one] : before.records) {
    const auto other = now.records.find(offset);
    if (other == now.records.end()) continue;
    require(one.checksum == other->second.checksum && one.author == other->second.author, lane,
            at(offset) + ": another record than before");
  }
}

/// Nothing between start and end is missing, but what compaction may take.
void expect_complete(const Lane& lane, const LaneContents& contents) {
  const Offset last_keys = contents.end.plus(-kCompactedKeys);
  Offset offset = lane.is_compacted ? std::max(contents.start, last_keys) : contents.start;
  for (; offset < contents.end; offset = offset.next()) {
    require(contents.records.contains(offset), lane, at(offset) + " is gone, the end is " + at(contents.end));
  }
}

/// By key everything is found that is found by reading, and in the same order.
void expect_keys(EventLog& log, const Lane& lane, const LaneContents& contents) {
  std::map<std::string, std::vector<Offset>> by_key;
  for (Offset from = contents.start; from < contents.end;) {
    const Fetched fetched = wanted(log.read(lane.place(), from, 256u << 10), lane, "reading");
    RecordCursor records = fetched.records();
    while (const RecordView* record = records.next()) by_key[std::string(as_text(record->key))].push_back(record->offset);
    from = fetched.next().offset;
  }
  by_key["nobody's"];
  for (const auto& [key, offsets] : by_key) {
    const KeyRecords found =
        wanted(log.read_key(lane.place(), key, contents.start, contents.end, 1'000'000), lane, "reading a key");
    std::vector<Offset> found_offsets;
    for (const RecordView& record : found.records) found_offsets.push_back(record.offset);
    require(found_offsets == offsets, lane, "the stream of " + key + " is another one than its records");
  }
}

}  // namespace

void Survivors::look(EventLog& log, const ReportPage& page, std::uint32_t life) {
  for (std::size_t number = 0; number < kLanes.size(); ++number) look_at(log, number, page.lanes[number], life);
}

void Survivors::look_at(EventLog& log, std::size_t number, const LaneReport& report, std::uint32_t life) {
  const Lane& lane = kLanes[number];
  Known& known = lanes_[number];
  const Presence presence = report.presence;
  const bool is_there = log.topic(lane.topic).has_value();
  if (presence == Presence::gone) require(!is_there, lane, "the topic was deleted and is there");
  const bool may_be_absent = presence == Presence::gone || presence == Presence::deleting ||
                             (presence == Presence::making && report.visit > 0) ||
                             (presence != Presence::there && !known.is_there);
  require(is_there || may_be_absent, lane, "the topic was made and is gone");
  if (report.visit > 0) known = {.is_there = true, .contents = {}, .visit = report.visit};
  if (!is_there) {
    known = {};
    return;
  }

  const LaneContents found = contents_of(log, lane);
  const LaneContents& before = known.contents;
  require(lane.is_brief || found.start <= std::max(before.start, Offset{report.start_asked}), lane,
          "begins at " + at(found.start) + ", which nobody asked for");
  require(found.start >= std::max(before.start, Offset{report.start}), lane,
          "deleted records are back: begins at " + at(found.start));
  require(found.end >= before.end, lane, "ends at " + at(found.end) + ", before at " + at(before.end));
  expect_complete(lane, found);
  compacted_ += static_cast<std::int64_t>(found.records.size()) < found.end - found.start ? 1 : 0;
  expect_same(lane, before, found);
  const Author author{.life = life, .visit = report.visit};
  for (const auto& [offset, record] : found.records) {
    require(offset < before.end || record.author == author, lane, at(offset) + ": not this writer's");
  }
  const std::uint32_t count = presence == Presence::gone ? 0 : report.count.load();
  for (const Acknowledged& one : std::span{report.acknowledged}.first(count)) {
    const Offset offset{one.offset};
    synced_ += one.is_synced ? 1 : 0;
    if (offset < found.start) continue;
    if (offset < found.end) {
      const auto record = found.records.find(offset);
      require(record == found.records.end() || record->second.checksum == one.checksum, lane,
              at(offset) + ": another record than was acknowledged");
      continue;
    }
    require(!one.is_synced, lane, at(offset) + " was acknowledged as synced and is gone; the end is " + at(found.end));
    ++written_and_lost_;
  }
  if (lane.streams) expect_keys(log, lane, found);
  known = {.is_there = true, .contents = found, .visit = report.visit};
}

void Survivors::look_again(EventLog& log) {
  for (std::size_t number = 0; number < kLanes.size(); ++number) {
    const Lane& lane = kLanes[number];
    LaneContents& before = lanes_[number].contents;
    require(log.topic(lane.topic).has_value() == lanes_[number].is_there, lane, "the topic comes or goes by opening the log");
    if (!lanes_[number].is_there) continue;
    LaneContents now = contents_of(log, lane);
    require(now.start == before.start || (lane.is_brief && now.start > before.start), lane, "another start by opening again");
    require(now.end == before.end, lane, "another end by opening again");
    expect_complete(lane, now);
    expect_same(lane, before, now);
    before = std::move(now);
  }
}

void Survivors::append(EventLog& log, std::uint32_t life, Random& random) {
  for (std::size_t number = 0; number < kLanes.size(); ++number) {
    const Lane& lane = kLanes[number];
    Known& known = lanes_[number];
    if (!known.is_there) continue;
    const Offset end = known.contents.end;
    const std::string key = lane.is_compacted ? compacted_key(end) : "checker";
    const std::string value = lane_value({.life = life, .visit = known.visit}, end, random);
    AppendRequest request;
    request.to = lane.place();
    request.durability = Durability::synced;
    wanted(request.records.add({.timestamp = {}, .key = as_bytes(key), .value = as_bytes(value), .headers = {}}).has_value()
               ? Result<Offset>{end}
               : Result<Offset>{Error{Errc::too_large, "a record"}},
           lane, "encoding");
    const Appended appended = wanted(append_wait(log, std::move(request)), lane, "appending");
    require(appended.first == end, lane, "an append went to " + at(appended.first) + ", the end was " + at(end));
    require(appended.epoch > known.contents.epoch, lane, "an epoch is used again");
    known.contents.records.emplace(end, *parse_lane_value(value));
    known.contents.end = end.next();
    known.contents.epoch = appended.epoch;
  }
}

}  // namespace lungo::test
