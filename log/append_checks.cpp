#include "append_checks.hpp"

#include "key_hash.hpp"

namespace lungo {

void add_key_hashes(const EncodedRecords& records, std::vector<std::uint64_t>& hashes) {
  for (std::size_t i = 0; i < records.count(); ++i) {
    const std::optional<std::string_view> key = records.key(i);
    hashes.push_back(key ? key_hash(*key) : kNoKeyHash);
  }
}

AppendChecks::AppendChecks(Log log, RecordLookup lookup, std::function<Result<const RecentIds*>()> recent_ids)
    : log_(log), lookup_(std::move(lookup)), recent_ids_(std::move(recent_ids)) {}

Verdict AppendChecks::judge(const GroupItem& item) {
  const std::optional<Offset> from = item.condition != nullptr ? std::optional{item.condition->as_of} : item.since;
  if (from && !log_.streams) {
    return {.outcome = Error{Errc::unsupported, "conditions and `since` need a topic with lungo.streams"}};
  }
  if (from && *from < log_.start) {
    return {.outcome = Error{Errc::history_trimmed, "the log starts at offset " + std::to_string(log_.start.value()) +
                                                        ", above " + std::to_string(from->value())}};
  }
  if (from && *from > log_.end) {
    return {.outcome = Error{Errc::invalid_argument, "the log ends at offset " + std::to_string(log_.end.value()) + ", below " +
                                                         std::to_string(from->value())}};
  }
  if (Verdict verdict = judge_id(*item.records, from); verdict.outcome) return verdict;
  return item.condition != nullptr ? judge_condition(*item.condition) : Verdict{};
}

void AppendChecks::accept(const EncodedRecords& records) {
  pending_.push_back({&records, accepted_});
  accepted_ += records.count();
  if (log_.streams) add_key_hashes(records, hashes_);
}

// The latest accepted record of this group with this key: any of them lies at or above every `as_of`.
std::optional<Offset> AppendChecks::latest_pending(std::string_view key) const {
  const std::uint64_t hash = key_hash(key);
  std::size_t item = pending_.size();
  for (std::size_t i = hashes_.size(); i-- > 0;) {
    if (hashes_[i] != hash) continue;
    while (pending_[item - 1].begin > i) --item;
    const Pending& pending = pending_[item - 1];
    if (pending.records->key(i - pending.begin) == key) return log_.end.plus(static_cast<std::int64_t>(i));
  }
  return std::nullopt;
}

Verdict AppendChecks::repeated(Offset first, std::size_t count, bool in_group) const {
  return {.outcome = Appended{.first = first,
                              .end = first.plus(static_cast<std::int64_t>(count)),
                              .epoch = in_group ? log_.epoch : log_.epochs.epoch_at(first),
                              .repeated = true},
          .rests_on_group = in_group};
}

namespace {

/// Where in `written` the id stands under this key, first.
std::optional<std::size_t> find_id(const EncodedRecords& written, std::optional<std::string_view> key, std::string_view id) {
  for (std::size_t i = 0; i < written.count(); ++i) {
    if (written.id(i) == id && written.key(i) == key) return i;
  }
  return std::nullopt;
}

/// True when `written` goes on at `begin` with records of the same keys and ids, for all of `records`.
bool goes_on_like(const EncodedRecords& written, std::size_t begin, const EncodedRecords& records) {
  if (written.count() - begin < records.count()) return false;
  for (std::size_t i = 0; i < records.count(); ++i) {
    if (written.key(begin + i) != records.key(i) || written.id(begin + i) != records.id(i)) return false;
  }
  return true;
}

}  // namespace

// Whether the log has all of `records` from `first` on, as far as keys and ids tell. `first` was loaded last. All records of an
// append share a batch, but in a mirror; and a batch holds several appends: what follows a smaller one under this id is
// another's.
Result<bool> AppendChecks::is_written(const EncodedRecords& records, Offset first) {
  const Offset bound = log_.copied ? log_.end : lookup_.loaded_batch_end();
  if (bound - first < static_cast<std::int64_t>(records.count())) return false;
  for (std::size_t i = 1; i < records.count(); ++i) {
    const Result<const RecordView*> record = lookup_.load(first.plus(static_cast<std::int64_t>(i)));
    if (!record) return record.error();
    if (*record == nullptr) continue;  // compacted away: later than the append, so it was there
    if (key_of(**record) != records.key(i) || id_of(**record) != records.id(i)) return false;
  }
  return true;
}

// Ids name whole appends: one that has other records than what was written under its id is another append with a used id, and
// must not pass for written.
Verdict AppendChecks::reused(std::string_view id, Offset first) const {
  return {.outcome =
              Error{Errc::invalid_argument,
                    "the id " + std::string(id) + " names another append, at offset " + std::to_string(first.value()), first}};
}

// A retry carries the id of the first try on its first record, under the same key. The first try may have been a part of an
// append: then its id stands in the middle of that. Two keys may use one id: each names its own append.
Verdict AppendChecks::judge_id(const EncodedRecords& records, std::optional<Offset> from) {
  const std::optional<std::string_view> id = records.id(0);
  if (!id) return {};
  const std::size_t count = records.count();
  const std::optional<std::string_view> key = records.key(0);
  for (const Pending& pending : pending_) {
    const std::optional<std::size_t> at = find_id(*pending.records, key, *id);
    if (!at) continue;
    const Offset first = log_.end.plus(static_cast<std::int64_t>(pending.begin + *at));
    return goes_on_like(*pending.records, *at, records) ? repeated(first, count, true) : reused(*id, first);
  }
  const Result<std::optional<Offset>> found =
      from && key ? lookup_.latest(*key, *from, [id](const RecordView& record) { return id_of(record) == id; })
                  : recent(key, *id, from.value_or(log_.start));
  if (!found) return {.outcome = found.error()};
  if (!*found) return {};
  const Result<bool> written = is_written(records, **found);
  if (!written) return {.outcome = written.error()};
  return *written ? repeated(**found, count, false) : reused(*id, **found);
}

Result<std::optional<Offset>> AppendChecks::recent(std::optional<std::string_view> key, std::string_view id, Offset begin) {
  const Result<const RecentIds*> ids = recent_ids_();
  if (!ids) return ids.error();
  std::optional<Error> error;
  const Offset from = std::max(begin, log_.end.plus(-RecentIds::kRecords));
  const std::optional<Offset> found = (*ids)->find(key, id, from, [&](Offset offset) {
    const Result<const RecordView*> record = lookup_.load(offset);
    if (!record) error = record.error();
    return !record || (*record != nullptr && key_of(**record) == key && id_of(**record) == id);
  });
  if (error) return *error;
  // One that is lost may have had the id.
  if (!found) error = lookup_.damage_in(from);
  if (error) return *error;
  return found;
}

Verdict AppendChecks::judge_condition(const Condition& condition) {
  const auto conflict = [&condition](Offset offset, bool in_group) -> Verdict {
    return {.outcome = Error{Errc::conflict,
                             "stream " + condition.key + " has a record at offset " + std::to_string(offset.value()) +
                                 ", at or above " + std::to_string(condition.as_of.value()),
                             offset},
            .rests_on_group = in_group};
  };
  if (const std::optional<Offset> pending = latest_pending(condition.key)) {
    return conflict(*pending, true);
  }
  const Result<std::optional<Offset>> found =
      lookup_.latest(condition.key, condition.as_of, [](const RecordView&) { return true; });
  if (!found) return {.outcome = found.error()};
  return *found ? conflict(**found, false) : Verdict{};
}

}  // namespace lungo
