// AppendQueue, the appender's side: what is queued, what is written at once. The lead is in append_lead.cpp.

#include "append_queue.hpp"

#include <algorithm>

#include <lungo/log/check.hpp>

#include "append_callbacks.hpp"
#include "base/logger.hpp"

namespace lungo {

namespace {

constexpr std::size_t kGroupBytes = 64u << 10;   // bodies in one batch; one larger append stays whole
constexpr std::size_t kSealedBytes = 16u << 10;  // from here on an append is mostly alone in its batch

std::size_t body_bytes_at_most(const RecordFields& fields) {
  constexpr std::size_t kFieldFraming = 10;
  std::size_t bytes = kFieldFraming;
  if (fields.key) bytes += fields.key->size() + kFieldFraming;
  if (fields.value) bytes += fields.value->size() + kFieldFraming;
  for (const HeaderView& header : fields.headers) bytes += header.name.size() + header.value.size() + 2 * kFieldFraming;
  return bytes;
}

bool have_keys(const EncodedRecords& records) {
  return std::ranges::all_of(records.entries(), [](const EncodedRecords::Entry& entry) { return entry.key_size >= 0; });
}

}  // namespace

AppendQueue::AppendQueue(std::shared_ptr<OpenPartition> partition, std::shared_ptr<PartitionLog> log, Options options,
                         Hooks hooks, Ports ports)
    : partition_(std::move(partition)),
      log_(std::move(log)),
      options_(options),
      ack_level_(options.ack_level),
      flush_interval_(options.flush_interval),
      batch_bytes_max_(options.batches.bytes_max),
      hooks_(std::move(hooks)),
      ports_(ports),
      out_of_memory_(refused(Errc::partition_failed, "refuses writes until it is opened again: out of memory")) {}

// ---- refusals ----

bool AppendQueue::waits_for_sync(Durability durability) const {
  if (durability == Durability::committed) return ack_level_ == AckLevel::isr_sync;
  return durability == Durability::synced;
}

Error AppendQueue::refused(Errc code, const std::string& why) const {
  return Error{code, to_string(partition_->name()) + ": " + why};
}

Error AppendQueue::lacks_key() const {
  return refused(Errc::invalid_argument, "every record needs a key: of each key the last one stays");
}

/// Why an append of so many bytes can't be taken now. With the mutex.
std::optional<Error> AppendQueue::refusal(std::size_t bytes) const {
  if (closed_) return refused(Errc::closed, "the log is closed");
  if (failed_) return failed_;
  // What is written counts until it is completed: while a sync stalls, appenders write and the queue alone stays short.
  const std::size_t pending = queued_bytes_ + written_bytes_;
  if (pending > 0 && pending + bytes > options_.queued_bytes_max) {
    return refused(Errc::busy, std::to_string(pending) + " bytes wait to be completed");
  }
  return std::nullopt;
}

// ---- appends that nobody waits for ----

void AppendQueue::append(AppendRequest request, Completion completion) {
  if (request.caller_waits && !inside_callback()) {
    return run(completion, append_wait(request.records, options_of(request)));
  }
  if (request.records.empty()) return run(completion, refused(Errc::invalid_argument, "an append without records"));
  if (request.condition && !options_.streams) {
    return run(completion, refused(Errc::unsupported, "no conditions: the topic lacks `streams`"));
  }
  if (options_.compact && !have_keys(request.records)) return run(completion, lacks_key());
  const std::size_t bytes = request.records.size_bytes();
  if (bytes >= kSealedBytes) request.records.seal();
  Lock lock(mutex_);
  if (const std::optional<Error> error = refusal(bytes)) {
    lock.unlock();
    return run(completion, *error);
  }
  QueuedAppend& item = push(waits_for_sync(request.durability));
  item.first = {.completion = std::move(completion), .records = static_cast<std::int64_t>(request.records.count())};
  item.own = std::move(request.records);
  item.condition = std::move(request.condition);
  item.since = request.since;
  queued_bytes_ += bytes;
  or_give_up([&] { leave(std::move(lock)); });
}

void AppendQueue::append(const RecordFields& fields, Durability durability, Completion completion) {
  if (options_.compact && !fields.key) return run(completion, lacks_key());
  Recipient recipient{.completion = std::move(completion), .records = 1};
  Lock lock(mutex_);
  std::optional<Error> error = refusal(body_bytes_at_most(fields));
  if (!error) {
    if (Result<void> pushed = push_shared(fields, waits_for_sync(durability), recipient); !pushed) error = pushed.error();
  }
  if (error) {
    lock.unlock();
    return run(recipient.completion, *error);
  }
  or_give_up([&] { leave(std::move(lock)); });
}

/// Leaves what was queued to whoever looks after it; a full group is written now.
void AppendQueue::leave(Lock lock) {
  const bool had_tail = unsynced_since_.has_value();
  if (queued_bytes_ >= kGroupBytes) write_group();
  const bool begins_tail = unsynced_since_ && !had_tail;
  const bool callers_released = !released_.empty();
  // Inside a completion the flusher goes on, or completions of several partitions would nest.
  const bool settles = !ready_.empty() && !completing_ && !inside_callback();
  const bool work_left = !queued_.empty() || !unsynced_.empty() || (!ready_.empty() && !settles);
  const bool flusher_needed = begins_tail || (work_left && !led_);
  lock.unlock();
  if (callers_released) wake_released();
  if (settles) settle();
  if (flusher_needed) hooks_.wake_flusher();
}

QueuedAppend& AppendQueue::push(bool needs_sync) {
  QueuedAppend& item = queued_.emplace_back();
  item.needs_sync = needs_sync;
  return item;
}

/// Adds one record to the append at the end of the queue if that can be shared, otherwise to a new one. Errors: too_large; the
/// recipient is left as it is then.
Result<void> AppendQueue::push_shared(const RecordFields& fields, bool needs_sync, Recipient& recipient) {
  if (!queued_.empty() && queued_.back().is_shared && queued_.back().needs_sync == needs_sync &&
      queued_.back().own.size_bytes() < kGroupBytes) {
    QueuedAppend& item = queued_.back();
    const std::size_t before = item.own.size_bytes();
    // A record without its recipient would give all behind it the offsets of others.
    if (item.more.size() == item.more.capacity()) item.more.reserve(std::max<std::size_t>(4, 2 * item.more.size()));
    if (item.own.add(fields)) {
      queued_bytes_ += item.own.size_bytes() - before;
      item.more.push_back(std::move(recipient));
      return {};
    }
  }
  EncodedRecords records;
  if (!spare_records_.empty()) {
    records = std::move(spare_records_.back());
    spare_records_.pop_back();
  }
  if (Result<void> added = records.add(fields); !added) return added;
  QueuedAppend& item = push(needs_sync);
  if (!spare_lists_.empty()) {
    item.more = std::move(spare_lists_.back());
    spare_lists_.pop_back();
  }
  item.own = std::move(records);
  item.is_shared = true;
  item.first = std::move(recipient);
  queued_bytes_ += item.own.size_bytes();
  return {};
}

// ---- appends that a caller waits for ----

Result<Appended> AppendQueue::append_wait(const RecordFields& fields, Durability durability) {
  if (options_.compact && !fields.key) return lacks_key();
  Lock lock(mutex_);
  const bool needs_sync = waits_for_sync(durability);
  if (const std::optional<Error> error = refusal(body_bytes_at_most(fields))) return *error;
  if (needs_sync && led_) {
    WaitingCaller caller{.parker = ports_.executor.parker()};
    Recipient recipient{.caller = &caller, .records = 1};
    if (Result<void> pushed = push_shared(fields, true, recipient); !pushed) return pushed.error();
    lock.unlock();
    return wait_for_outcome(caller);
  }
  alone_.clear();
  if (Result<void> added = alone_.add(fields); !added) return added.error();
  return write_and_wait({.records = &alone_, .condition = nullptr, .since = {}, .outcome = {}}, needs_sync, std::move(lock));
}

Result<Appended> AppendQueue::append_wait(EncodedRecords& records, const AppenderOptions& options) {
  if (records.empty()) return refused(Errc::invalid_argument, "an append without records");
  if (options.condition != nullptr && !options_.streams) {
    return refused(Errc::unsupported, "no conditions: the topic lacks `streams`");
  }
  if (options_.compact && !have_keys(records)) return lacks_key();
  const std::size_t bytes = records.size_bytes();
  if (bytes >= kSealedBytes) records.seal();
  return write_or_queue({.records = &records, .condition = options.condition, .since = options.since, .outcome = {}}, bytes,
                        options.durability);
}

// Validated before the lock is taken. What it repeats is decided where it is written, behind all that queued before.
Result<Appended> AppendQueue::append_batch(BytesView batch, const AppenderOptions& options) {
  if (options.condition != nullptr || options.since) {
    return refused(Errc::unsupported, "a producer's batch takes neither a condition nor `since`");
  }
  BatchRules rules = options_.batches;
  rules.bytes_max = batch_bytes_max_;
  Result<ProducerBatch> valid = ProducerBatch::validate(batch, rules);
  if (!valid) return valid.error().with_context(to_string(partition_->name()));
  return write_or_queue({.outcome = {}, .batch = &*valid}, valid->size_bytes(), options.durability);
}

/// Writes what the caller keeps and waits for; where it needs a sync and another thread leads, it leaves that to who leads
/// next.
Result<Appended> AppendQueue::write_or_queue(const GroupItem& append, std::size_t bytes, Durability durability) {
  Lock lock(mutex_);
  const bool needs_sync = waits_for_sync(durability);
  if (const std::optional<Error> error = refusal(bytes)) return *error;
  if (!(needs_sync && led_)) return write_and_wait(append, needs_sync, std::move(lock));

  WaitingCaller caller{.parker = ports_.executor.parker()};
  std::optional<Condition> condition;
  if (append.condition != nullptr) condition = *append.condition;
  QueuedAppend& item = push(true);  // nothing that is filled in takes memory
  item.borrowed = append.records;
  item.batch = append.batch;
  item.condition = std::move(condition);
  item.since = append.since;
  item.first = {
      .caller = &caller,
      .records = append.batch != nullptr ? append.batch->count() : static_cast<std::int64_t>(append.records->count())};
  queued_bytes_ += bytes;
  lock.unlock();
  return wait_for_outcome(caller);
}

/// Writes what is queued and then this append, and syncs it with the lead, which is free, if it needs that.
Result<Appended> AppendQueue::write_and_wait(const GroupItem& append, bool needs_sync, Lock lock) {
  std::optional<Result<Appended>> outcome;
  or_give_up([&] { outcome = write_and_lead(append, needs_sync, std::move(lock)); });
  return outcome ? *std::move(outcome) : Result<Appended>{failure()};
}

Result<Appended> AppendQueue::write_and_lead(const GroupItem& append, bool needs_sync, Lock lock) {
  const bool had_tail = unsynced_since_.has_value();
  write_queued(SIZE_MAX);
  Result<Appended> outcome = failed_ ? Result<Appended>(*failed_) : write_alone(append);
  const std::optional<Error> failure = failed_;
  const bool leads = needs_sync && outcome && outcome->end > durable_end() && !failure;
  if (leads) led_ = true;
  const bool settles = !ready_.empty();
  const bool begins_tail = unsynced_since_ && !had_tail;
  const bool flusher_needed = (begins_tail && !leads) || (!led_ && !unsynced_.empty());
  const bool callers_released = !released_.empty();
  lock.unlock();
  if (failure) fail(*failure);
  if (callers_released) wake_released();
  if (settles) settle();  // before a sync of this one's own
  if (leads) return lead_for(*std::move(outcome));
  move_committed();
  if (flusher_needed) hooks_.wake_flusher();
  return outcome;
}

// ---- writing ----

/// Writes the batch of an append that is not queued.
Result<Appended> AppendQueue::write_alone(GroupItem item) {
  try {
    log_->append({&item, 1}, options_.epoch);
    check(item.outcome.has_value(), "PartitionLog::append sets every outcome");
  } catch (...) {  // our bug: this partition stops, the host goes on
    refuse_all(Error{Errc::io, current_exception_text()});
    return *failed_;
  }
  if (*item.outcome) note_unsynced();
  return *std::move(item.outcome);
}

void AppendQueue::write_queued(std::size_t bytes_max) {
  for (std::size_t bytes = 0; bytes < bytes_max && !queued_.empty() && !failed_;) bytes += write_group();
}

/// Writes one batch out of the front of the queue; returns the bytes taken.
std::size_t AppendQueue::write_group() {
  if (failed_) return 0;
  group_.clear();
  std::size_t bytes = 0;
  for (QueuedAppend& item : queued_) {
    const std::size_t size = item.size_bytes();
    if (!group_.empty() && (bytes + size > kGroupBytes || item.batch != nullptr)) break;
    bytes += size;
    group_.push_back({.records = item.batch != nullptr ? nullptr : &item.records(),
                      .condition = item.condition ? &*item.condition : nullptr,
                      .since = item.since,
                      .outcome = std::nullopt,
                      .batch = item.batch});
    if (item.batch != nullptr) break;
  }
  if (group_.empty()) return 0;

  std::optional<Error> broken;
  try {
    log_->append(group_, options_.epoch);
    for (const GroupItem& item : group_) check(item.outcome.has_value(), "PartitionLog::append sets every outcome");
  } catch (...) {  // our bug: this partition stops, the host goes on
    broken = Error{Errc::io, current_exception_text()};
  }
  for (GroupItem& item : group_) {
    Result<Appended> outcome = broken ? Result<Appended>(*broken) : *std::move(item.outcome);
    take_written(queued_.front(), std::move(outcome));
    queued_.pop_front();
  }
  queued_bytes_ -= bytes;
  written_bytes_ += bytes;
  if (broken) refuse_all(*broken);
  note_unsynced();
  return bytes;
}

/// Moves it to where it waits. What throws comes first: who is to be told is either here or there.
void AppendQueue::take_written(QueuedAppend& item, Result<Appended> outcome) {
  const bool waits = item.needs_sync && outcome && outcome->end > durable_end();
  WrittenAppend& written = waits ? unsynced_.emplace_back() : ready_.emplace_back();
  written.outcome = std::move(outcome);
  written.bytes = item.size_bytes();
  written.first = std::move(item.first);
  written.more = std::move(item.more);
  if (item.is_shared) {
    item.own.clear();
    keep_spare(spare_records_, std::move(item.own));
  }
  if (!waits) release_callers(written);
}

/// The tail that nobody waits for begins here, if there is none yet.
void AppendQueue::note_unsynced() {
  if (flush_interval_.load() == kFlushNever || unsynced_since_) return;
  if (log_->synced_end() >= log_->written_end()) return;
  unsynced_since_ = ports_.clock.monotonic();
  tail_is_scheduled_ = false;
}

}  // namespace lungo
