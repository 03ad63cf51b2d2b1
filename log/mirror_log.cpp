// MirrorLog: how it opens and closes.

#include <lungo/log/mirror_log.hpp>

#include <algorithm>

#include "base/logger.hpp"
#include "base/property_file.hpp"
#include "log_foundation.hpp"
#include "mirror_parts.hpp"

namespace lungo {

namespace {

constexpr std::string_view kMirrorFile = "lungo.mirror";
constexpr std::string_view kMirrorKind = "mirror";
constexpr int kMirrorMajor = 1;
constexpr std::string_view kSourceKey = "source";
constexpr std::uint64_t kMirrorFileBytesMax = 64u << 10;
constexpr std::size_t kSourceCharsMax = 249;

Result<void> check_source(std::string_view source) {
  const bool is_printable = std::ranges::all_of(source, [](char c) { return c >= ' ' && c <= '~'; });
  if (is_printable && !source.empty() && source.size() <= kSourceCharsMax) return {};
  return Error{Errc::invalid_argument, "a mirror's source is named by 1 to 249 printable characters"};
}

Result<void> check_is_mirror_of(std::string_view source, const std::string& path, BytesView bytes) {
  const Result<Properties> properties = parse_property_file(kMirrorKind, kMirrorMajor, path, bytes);
  if (!properties) return properties.error();
  const auto found = std::ranges::find(*properties, kSourceKey, &Property::key);
  if (found == properties->end()) return Error{Errc::corrupt, path + " names no source"};
  if (found->value == source) return {};
  return Error{Errc::position_diverged,
               path + " is of the source " + found->value + ", not of " + std::string(source) +
                   ": use another directory, or remove this one, which is a copy, to have it made anew"};
}

/// Before anything is made in a directory: from then on it is known for a copy.
Result<void> write_or_check_head(Storage& storage, const LogDir& dir, std::string_view source) {
  const std::string path = dir.path() + "/" + std::string(kMirrorFile);
  const Result<Bytes> head = read_file(storage, path, kMirrorFileBytesMax);
  if (head) return check_is_mirror_of(source, path, *head);
  if (head.error() != Errc::not_found) return head.error();
  if (!dir.topics().empty()) {
    return Error{Errc::invalid_argument,
                 dir.path() + " holds a log of its own, no mirror: " + std::string(kMirrorFile) + " is missing"};
  }
  const Properties properties{{std::string(kSourceKey), std::string(source)}};
  return write_file_atomically(storage, path, as_bytes(format_property_file(kMirrorKind, kMirrorMajor, properties)));
}

}  // namespace

// ---- opening ----

MirrorLog::MirrorLog(std::unique_ptr<LogFoundation> foundation, std::unique_ptr<Parts> parts)
    : foundation_(std::move(foundation)), parts_(std::move(parts)) {}
MirrorLog::~MirrorLog() = default;

EventLog& MirrorLog::reads() { return *parts_; }

Result<std::unique_ptr<MirrorLog>> open_mirror(const std::string& directory, std::string_view source, MirrorOptions options) {
  const Result<std::string> path = directory_path(directory);
  if (!path) return path.error();
  if (Result<void> named = check_source(source); !named) return named.error();
  if (options.compaction_interval <= Duration::zero())
    return Error{Errc::invalid_argument, "compaction_interval is not above 0"};
  auto foundation = std::make_unique<LogFoundation>(options.ports, options.open_files_max);
  const Ports ports = foundation->ports();
  Result<std::unique_ptr<LogDir>> dir = LogDir::open_writer(ports.storage, ports.random, *path, LostPartitions::are_made_anew);
  if (!dir) return dir.error();
  if (Result<void> ours = write_or_check_head(ports.storage, **dir, source); !ours) return ours.error();
  auto parts = std::make_unique<MirrorLog::Parts>(ports, foundation->files(), std::move(*dir), options.compaction_interval);
  try {
    if (Result<void> started = parts->start(); !started) return started.error();
  } catch (const std::system_error& none_left) {
    return no_thread(*path, none_left);
  }
  return std::unique_ptr<MirrorLog>(new MirrorLog(std::move(foundation), std::move(parts)));
}

MirrorLog::Parts::Parts(Ports ports, FileCache& files, std::unique_ptr<LogDir> dir, Duration compaction_interval)
    : LogReads(dir->path(), ports), files_(files), compaction_interval_(compaction_interval), dir_(std::move(dir)) {}

Result<void> MirrorLog::Parts::start() {
  const bool was_stopped_cleanly = dir_->marks().was_stopped_cleanly();
  for (const TopicEntry& entry : dir_->topics()) open_topics_.add(topic_of(entry, nullptr));
  if (Result<void> begun = dir_->begin_writing(); !begun) return begun;
  Housekeeper::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.sync_sealed = [this](const OpenPartition& partition) { return sync_sealed(partition); };
  hooks.move_starts = [](const auto&) -> Result<void> { return {}; };  // no topic here has limits
  hooks.finish_deletions = [] { return false; };
  hooks.make_room = [this] { return files_.make_room(); };
  housekeeper_ = std::make_unique<Housekeeper>(ports(), open_topics_, std::move(hooks));
  housekeeper_->remove_directories(dir_->take_deleted_directories());
  housekeeper_->start();
  start_compactor();
  is_started_ = true;
  logger()->info("{} opened as a mirror topics={} after={}", dir_->path(), dir_->topics().size(),
                 was_stopped_cleanly ? "clean-stop" : "crash");
  return {};
}

void MirrorLog::Parts::start_compactor() {
  Compactor::Hooks hooks;
  hooks.as_owner = [this](const OpenPartition& partition, const auto& job) { return as_owner(partition, job); };
  hooks.sync_sealed = [this](const OpenPartition& partition) { return sync_sealed(partition); };
  hooks.cleaned_end = [this](const OpenPartition& partition) {
    const std::lock_guard lock(dir_mutex_);
    return dir_->marks().cleaned_end(partition.name());
  };
  hooks.note_cleaned_end = [this](const OpenPartition& partition, Offset end) { return note_cleaned_end(partition, end); };
  hooks.remove_files = [this](std::shared_ptr<OpenPartition> partition) { housekeeper_->trimmed(std::move(partition)); };
  compactor_ = std::make_unique<Compactor>(ports(), open_topics_, compaction_interval_, std::move(hooks));
  compactor_->start();
}

// ---- for the compactor ----

Result<void> MirrorLog::Parts::as_owner(const OpenPartition& partition, const std::function<Result<void>(PartitionLog&)>& job) {
  const std::lock_guard lock(owner);
  const std::shared_ptr<PartitionLog> log = partition.log();
  return log ? job(*log) : Error{Errc::not_found, to_string(partition.name()) + " is not open"};
}

/// What compaction takes has to be on disk.
Result<void> MirrorLog::Parts::sync_sealed(const OpenPartition& partition) {
  bool is_behind = false;
  const Result<void> looked = as_owner(partition, [&](PartitionLog& log) -> Result<void> {
    is_behind = log.segments().back().base > log.synced_end();
    return {};
  });
  if (!looked || !is_behind) return looked;
  const std::shared_ptr<PartitionLog> log = partition.log();  // without `owner`: copies go on meanwhile
  const Result<Offset> synced = log->sync();
  return synced ? Result<void>{} : synced.error();
}

/// The partition may have been cut or emptied since the round went through it: nothing above its log's synced end was in it.
Result<void> MirrorLog::Parts::note_cleaned_end(const OpenPartition& partition, Offset end) {
  const std::lock_guard writer(owner);
  const std::shared_ptr<PartitionLog> log = partition.log();
  if (log == nullptr) return {};
  const Offset cleaned = std::min(end, log->synced_end());
  const std::lock_guard lock(dir_mutex_);
  if (cleaned == dir_->marks().cleaned_end(partition.name())) return {};
  return dir_->marks().write_cleaned_end(partition.name(), {.end = cleaned, .again = cleaned});
}

// ---- closing ----

MirrorLog::Parts::~Parts() {
  if (is_started_) stop();
}

void MirrorLog::Parts::stop() {
  compactor_->stop();
  housekeeper_->stop();
  PartitionMarks::CleanEnds clean_ends;
  OffsetsByPartition synced;
  bool clean = true;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      clean = stop(*partition, clean_ends, synced) && clean;
      partition->close();
    }
  }
  Result<void> noted = clean ? dir_->marks().write_recovery_points(synced) : Result<void>{};
  if (noted && clean) noted = dir_->write_clean_stop(clean_ends);
  if (!noted) logger()->warn("{}; the next start recovers as after a crash", noted.error().text());
  logger()->info("{} closed as a mirror clean={}", dir_->path(), clean && noted);
}

/// Notes how the partition is left; false when nobody knows.
bool MirrorLog::Parts::stop(OpenPartition& partition, PartitionMarks::CleanEnds& clean_ends, OffsetsByPartition& synced) {
  const std::shared_ptr<PartitionLog> log = partition.log();
  if (log == nullptr) {  // at rest: as it was left before, if that is known
    const std::optional<PartitionAtRest> rest = partition.rest();
    if (rest->clean) clean_ends.emplace(partition.name(), *rest->clean);
    synced.emplace(partition.name(), rest->synced);
    return true;
  }
  const Result<CleanEnd> end = log->close();
  if (!end) {
    logger()->error("{} did not stop cleanly: {}", to_string(partition.name()), end.error().text());
    return false;
  }
  clean_ends.emplace(partition.name(), *end);
  synced.emplace(partition.name(), end->end);
  return true;
}

}  // namespace lungo
