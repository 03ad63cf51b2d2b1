#include "copy_partition.hpp"

#include <algorithm>

#include "copy_compare.hpp"

namespace lungo {

namespace {

constexpr std::size_t kAppendBytesMax = 512u << 10;  // a broker takes a megabyte by default
constexpr std::size_t kAppendRecordsMax = 1'000;
constexpr std::int64_t kRecordsPerWord = 4'096;

Result<void> add(const RecordView& record, EncodedRecords& records) {
  std::vector<HeaderView> headers;
  HeaderCursor cursor{record};
  while (const HeaderView* header = cursor.next()) headers.push_back(*header);
  if (!cursor.ok()) return Error{Errc::corrupt, "the headers of a record break the format", record.offset};
  RecordFields fields{.timestamp = record.timestamp, .headers = headers};
  if (record.has_key) fields.key = record.key;
  if (record.has_value) fields.value = record.value;
  return records.add(fields);
}

/// The last committed record; the fetch that holds it.
struct LastRecord {
  Fetched fetched;
  RecordView record;
};

Result<std::optional<LastRecord>> last_record(EventLog& log, const TopicPartition& partition, Offset end) {
  Result<Fetched> back = log.read_back(partition, end, 1);
  if (!back) return back.error();
  std::optional<RecordView> last;
  RecordCursor cursor = back->records();
  while (const RecordView* record = cursor.next()) last = *record;
  if (!last) return std::optional<LastRecord>{};
  return std::optional{LastRecord{std::move(*back), *last}};
}

/// Shows `last` all records of a walk.
Result<void> take_all(RecordWalk walk, LastRecords& last, const PartitionCopier::Tell& tell) {
  for (std::int64_t seen = 0;; ++seen) {
    const Result<const RecordView*> record = walk.peek();
    if (!record) return record.error();
    if (*record == nullptr) return {};
    last.take(**record);
    walk.pop();
    if (seen % kRecordsPerWord == 0 && !tell(walk.at())) return copy_canceled();
  }
}

}  // namespace

PartitionCopier::PartitionCopier(EventLog& from, EventLog& to, const TopicSpec& topic, TopicPartition partition, Offset start,
                                 Offset end, Offset to_start, Offset to_end, const std::set<Offset>& marks)
    : from_(&from),
      to_(&to),
      partition_(std::move(partition)),
      is_streams_(topic.streams),
      is_compacted_(topic.compact),
      has_own_times_(topic.timestamps == TimestampKind::create),
      start_(start),
      to_start_(to_start),
      to_end_(to_end),
      source_(from, partition_, start, end),
      next_mark_(marks.begin()),
      last_mark_(marks.end()) {}

Result<PartitionCopier> PartitionCopier::begin(EventLog& from, EventLog& to, const TopicSpec& topic, PartitionId partition,
                                               Offset end, const std::set<Offset>& marks) {
  TopicPartition name{topic.name, partition};
  const Result<Ends> source = from.ends(name);
  if (!source) return source.error();
  const Result<Ends> target = to.ends(name);
  if (!target) return target.error();
  return PartitionCopier{from, to, topic, std::move(name), source->start, end, target->start, target->committed, marks};
}

Error PartitionCopier::differ(Errc code, const RecordWalk& from, Offset to) const {
  return Error{code,
               to_string(partition_) + ": the target's record at offset " + std::to_string(to.value()) +
                   " is not the source's at " + std::to_string(from.at().value()) + ", so the target is no copy of it",
               to};
}

void PartitionCopier::move_marks(Offset from, Offset to) {
  for (; next_mark_ != last_mark_ && *next_mark_ <= from; ++next_mark_) moved_.emplace(*next_mark_, to);
}

Result<void> PartitionCopier::run(Duration timeout, const Tell& tell) {
  if (Result<void> passed = is_compacted_ ? pass_last_of_compacted(tell) : pass_what_is_there(tell); !passed) return passed;
  if (Result<void> appended = append_rest(timeout, tell); !appended) return appended;
  for (; next_mark_ != last_mark_; ++next_mark_) moved_.emplace(*next_mark_, to_end_);
  return {};
}

Result<void> PartitionCopier::pass_what_is_there(const Tell& tell) {
  RecordWalk target{*to_, partition_, to_start_, to_end_};
  while (true) {
    const Result<const RecordView*> there = target.peek();
    if (!there) return there.error();
    if (*there == nullptr) return {};
    const Result<const RecordView*> record = source_.peek();
    if (!record) return record.error();
    if (*record == nullptr || !is_same_record(**record, **there, has_own_times_))
      return differ(Errc::already_exists, source_, (*there)->offset);
    move_marks((*record)->offset, (*there)->offset);
    source_.pop();
    target.pop();
    ++records_;
    if (++found_there_ % kRecordsPerWord == 0 && !tell(source_.at())) return copy_canceled();
  }
}

Result<void> PartitionCopier::pass_last_of_compacted(const Tell& tell) {
  const Result<std::optional<LastRecord>> last = last_record(*to_, partition_, to_end_);
  if (!last) return last.error();
  if (!*last) return {};
  std::int64_t passed = 0;
  while (true) {
    const Result<const RecordView*> record = source_.peek();
    if (!record) return record.error();
    if (*record == nullptr) break;
    const bool found = is_same_record(**record, (*last)->record, has_own_times_);
    move_marks((*record)->offset, found ? (*last)->record.offset : to_start_);
    source_.pop();
    ++passed;
    if (passed % kRecordsPerWord == 0 && !tell(source_.at())) return copy_canceled();
    if (!found) continue;
    records_ = found_there_ = passed;
    return {};
  }
  source_ = RecordWalk{*from_, partition_, start_, source_.end()};
  return {};
}

Result<void> PartitionCopier::append_rest(Duration timeout, const Tell& tell) {
  std::vector<Offset> offsets;  // of the source
  while (true) {
    AppendRequest request{.to = partition_};
    offsets.clear();
    while (request.records.count() < kAppendRecordsMax && request.records.size_bytes() < kAppendBytesMax) {
      const Result<const RecordView*> record = source_.peek();
      if (!record) return record.error();
      if (*record == nullptr) break;
      if (Result<void> added = add(**record, request.records); !added) {
        return added.error().with_context(to_string(partition_) + ", offset " + std::to_string((*record)->offset.value()));
      }
      offsets.push_back((*record)->offset);
      source_.pop();
    }
    if (request.records.empty()) return {};
    if (Result<void> appended = append(std::move(request), offsets, timeout); !appended) return appended;
    if (!tell(source_.at())) return copy_canceled();
  }
}

Result<void> PartitionCopier::append(AppendRequest request, const std::vector<Offset>& offsets, Duration timeout) {
  if (is_streams_) request.since = to_end_;  // nothing: what is there was compared, and an id may come again after a long time
  const Result<Appended> appended = append_wait(*to_, std::move(request), timeout);
  if (!appended) {
    return appended.error().with_context(to_string(partition_) + ", offsets " + std::to_string(offsets.front().value()) +
                                         " to " + std::to_string(offsets.back().value()) + " of the source");
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) move_marks(offsets[i], appended->first.plus(static_cast<std::int64_t>(i)));
  records_ += static_cast<std::int64_t>(offsets.size());
  to_end_ = appended->end;
  return {};
}

Result<void> PartitionCopier::verify(bool is_shared, const Tell& tell) {
  if (is_compacted_) return verify_compacted(is_shared, tell);
  RecordWalk source{*from_, partition_, start_, source_.end()};
  RecordWalk target{*to_, partition_, to_start_, to_end_};
  for (std::int64_t seen = 0;; ++seen) {
    const Result<const RecordView*> there = target.peek();
    if (!there) return there.error();
    const Result<const RecordView*> record = source.peek();
    if (!record) return record.error();
    if (*there == nullptr && *record == nullptr) return {};
    if (*there == nullptr || *record == nullptr || !is_same_record(**record, **there, has_own_times_))
      return differ(Errc::corrupt, source, target.at());
    source.pop();
    target.pop();
    if (seen % kRecordsPerWord == 0 && !tell(source.at())) return copy_canceled();
  }
}

Result<void> PartitionCopier::verify_compacted(bool is_shared, const Tell& tell) {
  LastRecords there{has_own_times_};
  LastRecords here{has_own_times_};
  if (Result<void> taken = take_all(RecordWalk{*from_, partition_, start_, source_.end()}, there, tell); !taken) return taken;
  if (Result<void> taken = take_all(RecordWalk{*to_, partition_, to_start_, to_end_}, here, tell); !taken) return taken;
  const std::optional<std::string> key = is_shared ? there.missing(here) : there.difference(here);
  if (!key) return {};
  return Error{Errc::corrupt, to_string(partition_) + ": of key \"" + *key +
                                  "\" source and target have other last records; delete the "
                                  "target's topic and copy again"};
}

}  // namespace lungo
