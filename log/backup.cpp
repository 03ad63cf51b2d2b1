#include <lungo/log/backup.hpp>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>

#include "backup_manifest.hpp"
#include "backup_partition.hpp"
#include "cleaned_ends.hpp"
#include "log_dir.hpp"
#include "log_starts.hpp"
#include "partition_directories.hpp"
#include "storage_posix.hpp"
#include "synced_mark.hpp"
#include "tail_page.hpp"
#include "topics_file.hpp"

namespace lungo {
namespace {

constexpr std::string_view kMetaFile = "lungo.meta";

/// Real ports, or the caller's storage.
struct Machine {
  explicit Machine(const BackupOptions& options)
      : own(options.ports == nullptr ? make_posix_storage() : nullptr),
        storage(options.ports == nullptr ? *own : options.ports->storage),
        now(options.ports == nullptr ? std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())
                                     : options.ports->clock.now()) {}
  const std::unique_ptr<Storage> own;
  Storage& storage;
  const Timestamp now;
};

/// Names that the system resolves, of which the last ones need not be there.
bool lies_in(const std::string& path, const std::string& directory) {
  const auto resolved = [](const std::string& name) {
    std::error_code failed;
    const std::filesystem::path found = std::filesystem::weakly_canonical(name, failed);
    return failed ? std::filesystem::path(name).lexically_normal() : found;
  };
  const std::filesystem::path inner = resolved(path + "/.");
  const std::filesystem::path outer = resolved(directory + "/.");
  const auto [left, right] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return left == outer.end() || (std::next(left) == outer.end() && left->empty());
}

/// Makes it, or finds it empty. Errors: already_exists; no_space, io.
Result<void> make_empty(Storage& storage, const std::string& directory) {
  const Result<std::vector<DirEntry>> entries = storage.list(directory);
  if (entries && !entries->empty()) {
    return Error{Errc::already_exists,
                 directory + " is not empty: " + entries->front().name + " is there; name a new directory"};
  }
  if (!entries && entries.error() != Errc::not_found) return entries.error();
  return make_directories_durably(storage, directory);
}

/// What belongs to a program beside the log, and can't be made again: its secrets, say. Not what belongs to a store, which can.
bool is_of_a_program(const DirEntry& entry) {
  if (entry.is_directory || entry.name.starts_with('.') || entry.name.starts_with("lungo.")) return false;
  for (const std::string_view name : {"tail", "stores", "meta.properties"}) {
    if (entry.name == name) return false;
  }
  for (const std::string_view end : {".db", ".db-wal", ".db-shm", ".db-journal", ".db.lock", ".tmp", "-checkpoint"}) {
    if (entry.name.ends_with(end)) return false;
  }
  return true;
}

class Backup {
 public:
  Backup(Machine& machine, const std::string& directory, const std::string& to, const BackupOptions& options)
      : storage_(machine.storage), directory_(directory), to_(to), options_(options) {
    manifest_.taken_ms = machine.now.time_since_epoch().count();
  }

  Result<BackupReport> run() {
    if (lies_in(to_, directory_)) {
      return Error{Errc::invalid_argument, to_ + " lies in " + directory_ + ": name a place outside of what is backed up"};
    }
    if (Result<void> looked = look(); !looked) return looked.error();
    if (Result<void> made = make_empty(storage_, to_); !made) return made.error();
    Result<BackupReport> done = copy_all();
    if (!done) remove_what_was_made();
    return done;
  }

 private:
  Result<BackupReport> copy_all() {
    if (Result<void> copied = copy_partitions(); !copied) return copied.error();
    if (Result<void> written = write_checkpoints(); !written) return written.error();
    if (Result<void> copied = copy_others(); !copied) return copied.error();
    if (Result<void> written = write_tail(); !written) return written.error();
    // These two make it a data directory, and the manifest a backup.
    if (Result<void> written = write(kTopicsFile, format_topics(topics_)); !written) return written.error();
    if (Result<void> written = write(kMetaFile, meta_); !written) return written.error();
    const std::string manifest = format_manifest(manifest_);
    if (Result<void> done = write_file_atomically(storage_, to_ + "/" + std::string(kBackupFile), as_bytes(manifest)); !done) {
      return done.error();
    }
    report_.files = manifest_.files.size();
    for (const BackedUpFile& file : manifest_.files) report_.bytes += file.size;
    return report_;
  }

  /// So that the next attempt finds the place empty. What can't be removed stays, and is no backup without its manifest.
  void remove_what_was_made() {
    const Result<std::vector<DirEntry>> entries = storage_.list(to_);
    if (!entries) return;
    for (const DirEntry& entry : *entries) {
      const std::string path = to_ + "/" + entry.name;
      static_cast<void>((entry.is_directory ? storage_.remove_all(path) : storage_.remove(path)).has_value());
    }
  }

  /// Takes down where it is going to end, before anything is copied: in all partitions at nearly one moment.
  Result<void> look() {
    const Result<bool> is_locked = storage_.is_locked(directory_ + "/.lock");
    const bool may_be_written = !is_locked || *is_locked;
    Result<std::unique_ptr<LogDir>> dir = LogDir::open_reader(storage_, directory_);
    if (!dir) return dir.error();
    dir_ = std::move(*dir);
    topics_ = dir_->topics();
    manifest_.directory_id = dir_->id();
    manifest_.epoch = dir_->epoch().value();
    const Result<Bytes> meta = read_file(storage_, directory_ + "/" + std::string(kMetaFile), kFileBytesMax);
    if (!meta) return meta.error();
    meta_ = std::string(as_text(*meta));
    if (Result<void> noted = note_synced(); !noted) return noted;
    if (Result<void> noted = note_reach(); !noted) return noted;
    // Nobody writes: the page may be from before a power cut, and all that is whole counts.
    if (may_be_written) note_ends();
    return note_cleaned();
  }

  /// Before anything is copied: they must not promise more than the copy has. What is not good is left out, and costs a round.
  Result<void> note_cleaned() {
    const std::string path = directory_ + "/" + std::string(kCleanedEndsFile);
    const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
    Result<CleanedEnds> cleaned = bytes ? parse_cleaned_ends(path, *bytes) : Result<CleanedEnds>{bytes.error()};
    if (cleaned) cleaned_ = std::move(*cleaned);
    return {};
  }

  Result<void> note_reach() {
    for (const TopicEntry& topic : topics_) {
      if (topic.info.spec.ack_level != AckLevel::isr) continue;
      for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
        const TopicPartition partition{topic.info.spec.name, PartitionId{number}};
        const Result<std::optional<LogReach>> reach = reach_of(storage_, directory_ + "/" + to_string(partition));
        if (!reach && reach.error() == Errc::io) return reach.error();
        if (reach && *reach) reach_.emplace(partition, **reach);
      }
    }
    return {};
  }

  Result<void> note_synced() {
    for (const TopicEntry& topic : topics_) {
      for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
        const TopicPartition partition{topic.info.spec.name, PartitionId{number}};
        const Result<std::optional<Offset>> mark = SyncedMark::read(storage_, directory_ + "/" + to_string(partition));
        if (!mark) return mark.error();
        synced_[partition] =
            std::max({mark->value_or(Offset{0}), dir_->marks().recovery_point(partition),
                      dir_->marks().clean_end(partition) ? dir_->marks().clean_end(partition)->end : Offset{0}});
      }
    }
    return {};
  }

  /// What the page says, but for ends below what was synced before: while a writer recovers it holds the lock, and the page is
  /// that of the writer before, as a power cut has left it.
  void note_ends() {
    bool is_old = true;
    for (int look = 0; is_old && look < 2; ++look) {  // a writer's page follows a sync at once
      Result<TailState> tail = read_tail(storage_, directory_ + "/tail");
      if (!tail || tail->incarnation != dir_->epoch() || tail->in_order) return;
      tail_ = std::move(tail->places);
      is_old = drop_old_ends();
    }
  }

  bool drop_old_ends() {
    bool dropped = false;
    for (const TopicEntry& topic : topics_) {
      const std::vector<std::size_t> places = tail_place_numbers(topic);
      for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i] >= tail_.size()) continue;
        std::optional<Offset>& end = tail_[places[i]].end;
        if (!end || *end >= synced_[{topic.info.spec.name, PartitionId{static_cast<std::int32_t>(i)}}]) continue;
        end.reset();
        dropped = true;
      }
    }
    return dropped;
  }

  Result<void> copy_partitions() {
    for (std::size_t i = 0; i < topics_.size();) {
      const Result<bool> copied = copy_topic(topics_[i]);
      if (!copied) return copied.error();
      if (*copied) {
        ++i;
      } else {
        topics_.erase(topics_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    return {};
  }

  /// False: it was deleted meanwhile.
  Result<bool> copy_topic(const TopicEntry& topic) {
    const std::size_t files_before = manifest_.files.size();
    const std::size_t partitions_before = manifest_.partitions.size();
    const std::vector<std::size_t> places = tail_place_numbers(topic);
    for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
      const TopicPartition partition{topic.info.spec.name, PartitionId{number}};
      const std::size_t place = places[static_cast<std::size_t>(number)];
      const Result<void> copied = copy_partition(topic, partition, place);
      if (copied) continue;
      const Result<bool> is_gone = is_deleted(topic);
      if (!is_gone) return is_gone.error();
      if (!*is_gone) return copied.error();
      for (std::int32_t made = 0; made <= number; ++made) {
        const std::string path = to_ + "/" + to_string(TopicPartition{topic.info.spec.name, PartitionId{made}});
        if (Result<void> removed = storage_.remove_all(path); !removed) return removed.error();
      }
      manifest_.files.resize(files_before);
      manifest_.partitions.resize(partitions_before);
      return false;
    }
    return true;
  }

  Result<bool> is_deleted(const TopicEntry& topic) {
    const Result<std::unique_ptr<LogDir>> now = LogDir::open_reader(storage_, directory_);
    if (!now) return now.error();
    return std::ranges::none_of((*now)->topics(), [&](const TopicEntry& entry) { return entry.info.id == topic.info.id; });
  }

  Result<void> copy_partition(const TopicEntry& topic, const TopicPartition& partition, std::size_t place) {
    PartitionCopy copy{.storage = storage_,
                       .from = directory_ + "/" + to_string(partition),
                       .to = to_ + "/" + to_string(partition),
                       .name = to_string(partition),
                       .gaps = topic.may_have_gaps(),
                       .is_foreign = topic.gaps,
                       .hard_links = options_.kind == BackupKind::hard_links,
                       .read_some = options_.read_some};
    // A record of a topic of `isr` may be acknowledged before the page tells of it.
    if (const auto reach = reach_.find(partition); reach != reach_.end()) {
      copy.reach = reach->second;
    } else if (place < tail_.size()) {
      copy.end = tail_[place].end;
    }
    copy.synced = synced_[partition];
    copy.start = [this, &partition]() -> Result<Offset> {
      const Result<OffsetsByPartition> starts = read_log_starts(storage_, directory_);
      if (!starts) return starts.error();
      const auto found = starts->find(partition);
      return found == starts->end() ? Offset{0} : found->second;
    };
    const Result<CopiedPartition> copied = copy_partition_files(copy);
    if (!copied) return copied.error();
    // Last of the source: what was read of it belongs to the topic as long as the directory does.
    for (const std::string& path : {copy.to, copy.from}) {
      if (Result<void> belongs = check_id(path + "/" + std::string(kPartitionMetadataFile), topic.info.id); !belongs) {
        return belongs;
      }
    }
    for (const BackedUpFile& file : copied->files)
      manifest_.files.push_back({copy.name + "/" + file.path, file.size, file.hash});
    manifest_.partitions.push_back({copy.name, copied->start, copied->end, copied->last_batch_crc});
    for (const Finding& lost : copied->damage) {
      const Offset from = lost.from.value_or(copied->start);
      manifest_.damage.push_back({copy.name, from, std::max(from, lost.end.value_or(copied->end))});
      report_.damage.push_back(text_of(lost));
    }
    for (const Finding& bytes : copied->unreadable) report_.damage.push_back(text_of(bytes));
    places_.resize(std::max(places_.size(), place + 1));
    places_[place] = {.start = copied->start, .end = copied->end};
    if (copied->start > Offset{0}) starts_[partition] = copied->start;
    if (const auto cleaned = cleaned_.find(partition); cleaned != cleaned_.end()) {
      const Offset end = std::min(cleaned->second.end, copied->end);
      cleaned_of_copy_[partition] = {.end = end, .again = std::min(cleaned->second.again, end)};
    }
    report_.partitions += 1;
    report_.records += copied->records;
    return {};
  }

  Result<void> check_id(const std::string& path, const TopicId& topic) {
    const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
    if (!bytes && bytes.error() == Errc::not_found) return Error{Errc::corrupt, path + " is missing"};
    if (!bytes) return bytes.error();
    const Result<TopicId> id = parse_partition_metadata(path, *bytes);
    if (!id) return id.error();
    if (*id == topic) return {};
    return Error{Errc::corrupt, path + " names topic id " + to_string(*id) + ", expected " + to_string(topic)};
  }

  /// So that it can be read before a writer has opened it.
  Result<void> write_tail() {
    const std::string path = to_ + "/tail";
    const Result<std::unique_ptr<TailWriter>> tail = TailWriter::open(storage_, path, dir_->epoch(), places_);
    if (!tail) return tail.error();
    if (Result<void> synced = sync_file(path); !synced) return synced;
    return note_file("tail");
  }

  Result<void> write_checkpoints() {
    if (!starts_.empty()) {
      if (Result<void> written = write(kLogStartsFile, format_log_starts(starts_)); !written) return written;
      if (Result<void> written = write(kKafkaLogStartsFile, format_checkpoint(starts_)); !written) return written;
    }
    if (cleaned_of_copy_.empty()) return {};
    if (Result<void> written = write(kCleanedEndsFile, format_cleaned_ends(cleaned_of_copy_)); !written) return written;
    OffsetsByPartition ends;
    for (const auto& [partition, cleaned] : cleaned_of_copy_) ends[partition] = cleaned.end;
    return write(kKafkaCleanedEndsFile, format_checkpoint(ends));
  }

  Result<void> copy_others() {
    const Result<std::vector<DirEntry>> entries = storage_.list(directory_);
    if (!entries) return entries.error();
    for (const DirEntry& entry : *entries) {
      if (!is_of_a_program(entry)) continue;
      const std::string path = to_ + "/" + entry.name;
      const Result<void> copied = storage_.copy(directory_ + "/" + entry.name, path, std::numeric_limits<std::uint64_t>::max());
      if (!copied && copied.error() == Errc::not_found) continue;  // removed meanwhile
      if (!copied) return copied;
      if (Result<void> synced = sync_file(path); !synced) return synced;
      if (Result<void> noted = note_file(entry.name); !noted) return noted;
    }
    return {};
  }

  Result<void> sync_file(const std::string& path) {
    const Result<std::unique_ptr<File>> file = storage_.open(path, OpenMode::read);
    return file ? (*file)->sync() : Result<void>{file.error()};
  }

  Result<void> write(std::string_view name, std::string_view text) {
    const std::string path = to_ + "/" + std::string(name);
    if (Result<void> written = write_file_atomically(storage_, path, as_bytes(text)); !written) return written;
    return note_file(name);
  }

  Result<void> note_file(std::string_view name) {
    Result<BackedUpFile> file = hash_of_file(storage_, to_ + "/" + std::string(name), options_.read_some);
    if (!file) return file.error();
    file->path = name;
    manifest_.files.push_back(std::move(*file));
    return {};
  }

  Storage& storage_;
  const std::string& directory_;
  const std::string& to_;
  const BackupOptions& options_;
  std::unique_ptr<LogDir> dir_;
  std::vector<TopicEntry> topics_;
  std::vector<TailPlace> tail_;  // empty: what is whole counts
  std::map<TopicPartition, LogReach> reach_;
  std::map<TopicPartition, Offset> synced_;  // before the ends were looked at
  std::vector<TailPlace> places_;            // of the copy's page
  std::string meta_;
  CleanedEnds cleaned_;
  CleanedEnds cleaned_of_copy_;
  OffsetsByPartition starts_;
  BackupManifest manifest_;
  BackupReport report_;
};

}  // namespace

Result<BackupReport> back_up(const std::string& directory, const std::string& to, const BackupOptions& options) {
  Machine machine{options};
  return Backup{machine, directory, to, options}.run();
}

}  // namespace lungo
