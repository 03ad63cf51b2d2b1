// EngineLoop::open(): from what the store's catalogue says to feeds that can run.
#include <algorithm>

#include "engine_loop.hpp"
#include "logger.hpp"

namespace lungo {

Result<void> EngineLoop::open() {
  Result<Catalogue> catalogue = Catalogue::open(rows_);
  if (!catalogue) return catalogue.error();
  catalogue_ = *catalogue;
  Result<std::unique_ptr<RowReader>> reader = rows_.reader();
  if (!reader) return reader.error();
  reader_ = std::move(*reader);
  Result<std::vector<ProjectionEntry>> entries = Catalogue::entries(*reader_);
  if (!entries) return entries.error();
  for (Slot& slot : slots_) {
    Result<void> opened = open_slot(slot, *entries);
    if (!opened) return opened.error().with_context("projection " + slot.projection->name());
  }
  for (const std::unique_ptr<Feed>& feed : feeds_) publish(*feed);
  const std::lock_guard lock{mutex_};
  open_ = true;
  return {};
}

Result<TopicInfo> EngineLoop::topic_of(const Slot& slot) {
  if (log_.read_only()) return store_.topic(slot.projection->topic());
  return store_.stream_topic(slot.projection->topic());
}

std::vector<PartitionId> EngineLoop::partitions_of(const TopicInfo& topic) const {
  if (only_) return {*only_};
  std::vector<PartitionId> all;
  for (std::int32_t number = 0; number < topic.spec.partitions; ++number) all.emplace_back(number);
  return all;
}

Result<std::vector<Position>> EngineLoop::starts_of(const TopicInfo& topic, const ReplayFrom& from) {
  std::vector<Position> starts;
  for (const PartitionId number : partitions_of(topic)) {
    const TopicPartition partition{topic.spec.name, number};
    Result<Ends> ends = log_.ends(partition);
    if (!ends) return ends.error();
    Offset begin = ends->start;
    if (from.from_offset()) begin = std::clamp(*from.from_offset(), ends->start, std::max(ends->start, ends->committed));
    if (from.from_time()) {
      Result<std::optional<Offset>> first = log_.offset_at(partition, *from.from_time());
      if (!first) return first.error();
      begin = first->value_or(ends->committed);
    }
    starts.push_back({topic.id, partition.partition, begin, kNoEpoch});
  }
  return starts;
}

Result<void> EngineLoop::open_slot(Slot& slot, const std::vector<ProjectionEntry>& entries) {
  Result<TopicInfo> topic = topic_of(slot);
  if (!topic) return topic.error();
  const ProjectionEntry* found = nullptr;
  for (const ProjectionEntry& entry : entries) {
    if (entry.projection != slot.projection->name()) continue;
    if (entry.role == Role::live) found = &entry;
    if (entry.role == Role::shadow) slot.shadow = entry;  // resumed or dropped by the next rebuild
  }
  if (found == nullptr) {
    Result<void> made = start_over(slot, *topic, 1, {});
    if (!made) return made.error();
    return add_member(slot, Role::live, slot.live, *topic, true);
  }
  Result<std::optional<std::string>> reason = reason_to_rebuild(log_, *slot.projection, *found, partitions_of(*topic));
  if (!reason) return reason.error();
  if (*reason) {
    log_warn("projection " + slot.projection->name() + " is rebuilt from the beginning: " + **reason);
    Result<void> made = start_over(slot, *topic, found->generation + 1, **reason);
    if (!made) return made.error();
    slot.replaced = true;
    return add_member(slot, Role::live, slot.live, *topic, true);
  }
  slot.live = *found;
  Result<std::vector<ParkedRow>> parked = parked_of(slot.projection->name());
  if (!parked) return parked.error();
  slot.parked = static_cast<std::int64_t>(parked->size());
  return add_member(slot, Role::live, slot.live, *topic, false);
}

Result<std::optional<std::string>> EngineLoop::reason_to_rebuild(EventLog& log, const ProjectionBase& projection,
                                                                 const ProjectionEntry& entry,
                                                                 const std::vector<PartitionId>& partitions) {
  using Reason = std::optional<std::string>;
  if (entry.topic != projection.topic()) return Reason{"it reads topic " + projection.topic() + " now, not " + entry.topic};
  if (entry.state_shape != projection.state_shape()) return Reason{"its State has changed"};
  if (entry.key_shape != projection.key_shape()) return Reason{"its Key has changed"};
  if (entry.version != projection.version())
    return Reason{"its version is " + std::to_string(projection.version()) + " now, not " + std::to_string(entry.version)};
  if (!std::ranges::equal(entry.positions, partitions, {}, &Position::partition))
    return Reason{"topic " + entry.topic + " has another number of partitions now"};
  for (const Position& position : entry.positions) {
    Result<void> valid = log.validate(entry.topic, position);
    if (!valid && valid.error() == Errc::position_diverged)
      return Reason{"the log does not hold the history of its rows: " + std::string(valid.error().text())};
    if (!valid) return valid.error();
  }
  return Reason{};
}

Result<void> EngineLoop::start_over(Slot& slot, const TopicInfo& topic, std::int64_t generation, std::string reason) {
  const ProjectionBase& projection = *slot.projection;
  Result<std::vector<Position>> starts = starts_of(topic, ReplayFrom::beginning());
  if (!starts) return starts.error();
  slot.live = {projection.name(),
               Role::live,
               projection.name(),
               projection.topic(),
               projection.state_shape(),
               projection.key_shape(),
               projection.version(),
               generation,
               ReplayFrom::beginning().text(),
               std::move(reason),
               std::move(*starts)};
  Result<std::vector<ParkedRow>> parked = parked_of(slot.live.projection);
  if (!parked) return parked.error();
  return in_transaction(rows_, [&]() -> Result<void> {
    Result<void> done = rows_.drop_table(slot.live.table);
    if (!done) return done;
    Result<TableId> table = rows_.open_table(projection.table_spec(slot.live.table));
    if (!table) return table.error();
    done = catalogue_->unpark(*parked);
    if (!done) return done;
    return catalogue_->put(slot.live);
  });
}

Result<std::vector<ParkedRow>> EngineLoop::parked_of(const std::string& projection) {
  Result<std::vector<ParkedRow>> parked = Catalogue::parked(*reader_);
  if (parked) std::erase_if(*parked, [&](const ParkedRow& event) { return event.projection != projection; });
  return parked;
}

Result<void> EngineLoop::add_member(Slot& slot, Role role, const ProjectionEntry& entry, const TopicInfo& topic, bool empty) {
  Result<TableId> table = rows_.open_table(slot.projection->table_spec(entry.table));
  if (!table) return table.error();
  auto member = std::make_unique<Member>();
  member->projection = entry.projection;
  member->role = role;
  member->strict = role == Role::shadow || !entry.rebuild.empty();
  member->worker = slot.projection->make_worker();
  member->worker->attach(rows_, *table, empty);
  if (role == Role::live && !entry.rebuild.empty()) {
    slot.rebuild_until.clear();
    for (const Position& position : entry.positions) {
      Result<Ends> ends = log_.ends({entry.topic, position.partition});
      if (!ends) return ends.error();
      slot.rebuild_until.push_back(ends->committed);
    }
  }
  const auto same = std::find_if(feeds_.begin(), feeds_.end(), [&](const std::unique_ptr<Feed>& feed) {
    return feed->topic().id == topic.id && feed->positions() == entry.positions && !feed->has_news();
  });
  if (same != feeds_.end()) {
    (*same)->add(std::move(member));
  } else {
    feeds_.push_back(std::make_unique<Feed>(log_, store_.shapes(), topic, entry.positions));
    feeds_.back()->add(std::move(member));
  }
  return {};
}

}  // namespace lungo
