// MirrorLog: topics come and go, and their partitions are opened as far as they hold.

#include "base/logger.hpp"
#include "damage.hpp"
#include "mirror_partition.hpp"
#include "mirror_parts.hpp"

namespace lungo {

namespace {

constexpr Duration kLettingGoPause = std::chrono::milliseconds{1};

/// What of a source's topic is a mirror's: nothing goes here by age or size, and batches are written as they come.
TopicSpec mirrored(TopicSpec spec) {
  spec.segment_age.reset();
  spec.retention_age.reset();
  spec.retention_bytes.reset();
  spec.compression = Compression::none;
  return spec;
}

bool is_copy_of(const TopicInfo& copy, const TopicInfo& source) {
  return copy.id == source.id && copy.spec.streams == source.spec.streams && copy.spec.compact == source.spec.compact &&
         copy.spec.partitions <= source.spec.partitions;
}

}  // namespace

// ---- for readers ----

Result<TopicInfo> MirrorLog::Parts::create_topic(const TopicSpec& spec) {
  return Error{Errc::unsupported, "topic " + spec.name + ": a mirror has the topics of its source"};
}

void MirrorLog::Parts::append(AppendRequest request, Completion completion) {
  completion(Error{Errc::unsupported, to_string(request.to) + ": a mirror has the records of its source"});
}

// ---- topics ----

const TopicEntry* MirrorLog::Parts::find_entry(std::string_view name) const {
  for (const TopicEntry& entry : dir_->topics()) {
    if (entry.info.spec.name == name) return &entry;
  }
  return nullptr;
}

Result<void> MirrorLog::Parts::make_topic(const TopicInfo& source) {
  const std::string& name = source.spec.name;
  const Result<std::shared_ptr<const OpenTopic>> there = open_topics_.find(name);
  const bool is_kept = there && is_copy_of((*there)->info, source);
  if (there && !is_kept) {
    if (Result<void> forgotten = forget_topic(name); !forgotten) return forgotten;
  }
  const std::lock_guard lock(dir_mutex_);
  if (!is_kept) {
    const Result<TopicInfo> made = dir_->create_copied_topic({mirrored(source.spec), source.id});
    if (!made) return made.error();
    open_topics_.add(topic_of(*find_entry(name), nullptr));
  } else if ((*there)->info.spec.partitions < source.spec.partitions) {
    const Result<TopicInfo> added = dir_->add_partitions(name, source.spec.partitions);
    if (!added) return added.error();
    open_topics_.replace(topic_of(*find_entry(name), there->get()));
  }
  return {};
}

/// With the partitions that were there `before`, if any.
std::shared_ptr<OpenTopic> MirrorLog::Parts::topic_of(const TopicEntry& entry, const OpenTopic* before) {
  auto topic = std::make_shared<OpenTopic>();
  topic->info = entry.info;
  topic->gaps = entry.may_have_gaps();
  topic->dense_end = entry.has_dense_end();
  topic->tail_places = tail_place_numbers(entry);
  if (before != nullptr) topic->partitions = before->partitions;
  PartitionOpener& opener = *this;
  for (std::size_t i = topic->partitions.size(); i < topic->tail_places.size(); ++i) {
    const TopicPartition name{entry.info.spec.name, PartitionId{static_cast<std::int32_t>(i)}};
    PartitionAtRest rest{
        .start = dir_->marks().log_start(name), .synced = dir_->marks().recovery_point(name), .clean = {}, .failure = {}};
    rest.clean = dir_->marks().clean_end(name);
    if (rest.clean) rest.synced = rest.clean->end;
    topic->partitions.push_back(std::make_shared<OpenPartition>(name, entry.info.id, std::move(rest), opener));
  }
  return topic;
}

Result<void> MirrorLog::Parts::forget_topic(std::string_view name) {
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(name);
  if (!topic) return {};
  const TopicInfo info = (*topic)->info;
  Result<void> deleted;
  {
    const std::lock_guard lock(dir_mutex_);
    deleted = dir_->delete_topic(name);
    if (find_entry(name) != nullptr) return deleted;
  }
  open_topics_.remove(info.id);
  const Error cause{Errc::not_found, "topic " + info.spec.name + " is not mirrored any more"};
  for (const std::shared_ptr<OpenPartition>& partition : (*topic)->partitions) let_go(*partition, cause);
  if (deleted) {
    const std::lock_guard lock(dir_mutex_);
    dir_->release_names(info);
    housekeeper_->remove_directories(dir_->take_deleted_directories());
  }
  for (const std::shared_ptr<OpenPartition>& partition : (*topic)->partitions) partition->close();
  return deleted;
}

/// Waits until nobody writes in its directory any more. What that waits for is bounded: a step of the housekeeper's or the
/// compactor's, somebody's opening of the partition, a sync.
void MirrorLog::Parts::let_go(OpenPartition& partition, const Error& cause) {
  const auto lets_go = [&] {
    if (!partition.keep_at_rest(cause)) return false;
    const std::shared_ptr<PartitionLog> log = partition.log();
    return log == nullptr || log->try_refuse(cause);
  };
  while (!ports().executor.wait_until(lets_go, ports().clock.monotonic() + kLettingGoPause)) continue;
}

// ---- partitions ----

Result<MirrorLog::Parts::Mirrored> MirrorLog::Parts::find(const TopicPartition& name) {
  const Result<std::shared_ptr<OpenPartition>> found = open_topics_.find(name);
  if (!found) return found.error();
  const Result<std::shared_ptr<PartitionLog>> log = (*found)->touch();
  if (!log) return log.error();
  return Mirrored{*found, *log};
}

Result<std::shared_ptr<PartitionLog>> MirrorLog::Parts::open_partition(const std::shared_ptr<OpenPartition>& partition,
                                                                       PartitionAtRest& rest) {
  return open_log(partition->name(), rest);
}

// Nobody opens one for a look at it alone.
std::optional<PartitionAtRest> MirrorLog::Parts::close_partition(const OpenPartition& /*partition*/,
                                                                 const std::shared_ptr<PartitionLog>& /*log*/) {
  return std::nullopt;
}

/// What can't be gone on with is made anew.
Result<std::shared_ptr<PartitionLog>> MirrorLog::Parts::open_log(const TopicPartition& name, const PartitionAtRest& rest) {
  Result<std::unique_ptr<PartitionLog>> log = open_what_holds(name, rest);
  if (!log && log.error() == Errc::corrupt) {
    logger()->warn("{}; {} is filled anew from offset {}", log.error().text(), to_string(name), rest.start.value());
    if (Result<void> renewed = renew(name, rest.start); !renewed) return renewed.error().with_context(to_string(name));
    log = open_what_holds(name, {.start = rest.start, .synced = rest.start, .clean = {}, .failure = {}});
  }
  if (!log) return log.error().with_context(to_string(name));
  (*log)->when_chores_are_due([this, name] {
    if (Result<std::shared_ptr<OpenPartition>> open = open_topics_.find(name)) housekeeper_->chores_due(std::move(*open));
  });
  return std::shared_ptr<PartitionLog>(std::move(*log));
}

Result<std::unique_ptr<PartitionLog>> MirrorLog::Parts::open_what_holds(const TopicPartition& name,
                                                                        const PartitionAtRest& rest) {
  const Result<std::shared_ptr<const OpenTopic>> topic = open_topics_.find(name.topic);
  if (!topic) return topic.error();
  const TopicSpec& spec = (*topic)->info.spec;
  PartitionOptions options;
  options.segment_bytes = spec.segment_bytes;
  options.streams = spec.streams;
  options.gaps = true;
  options.gaps_inside = !spec.compact;
  options.start = rest.start;
  Result<std::unique_ptr<PartitionLog>> log =
      open_mirrored(ports(), dir_->partition_path(name), options, rest.clean, rest.synced);
  if (!log || (*log)->damage().empty()) return log;
  const Result<std::optional<Offset>> border = border_below(**log, (*log)->written_end());
  if (!border) return border.error();
  if (!*border) return damaged(dir_->partition_path(name), (*log)->damage().front());
  if (Result<void> done = cut(name, **log, **border); !done) return done.error();
  logger()->warn("{} was cut at offset {}, where damage begins", to_string(name), (*border)->value());
  return log;
}

Result<void> MirrorLog::Parts::renew(const TopicPartition& name, Offset start) {
  const std::lock_guard lock(dir_mutex_);
  Result<void> renewed = dir_->renew_partition(name, start);
  housekeeper_->remove_directories(dir_->take_deleted_directories());
  return renewed;
}

}  // namespace lungo
