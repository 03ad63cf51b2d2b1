#include <lungo/log/backup.hpp>

#include <algorithm>
#include <set>

#include "backup_manifest.hpp"
#include "checkpoint_file.hpp"
#include "partition_directories.hpp"
#include "storage_posix.hpp"
#include "topics_file.hpp"
#include "verify.hpp"

namespace lungo {
namespace {

// Without these a directory is no data directory, so they come last.
constexpr std::string_view kMetaFile = "lungo.meta";

class Restore {
 public:
  Restore(Storage& storage, const std::string& from, const std::string& to, const BackupOptions& options)
      : storage_(storage), from_(from), to_(to), options_(options) {}

  Result<BackupReport> run() {
    if (Result<void> read = read_manifest(); !read) return read.error();
    if (Result<void> checked = check_names(); !checked) return checked.error();
    const Result<std::vector<DirEntry>> entries = storage_.list(to_);
    if (!entries && entries.error() != Errc::not_found) return entries.error();
    if (entries && !entries->empty()) {
      return Error{Errc::already_exists, to_ + " is not empty: " + entries->front().name + " is there; name a new directory"};
    }
    if (Result<void> made = make_directories_durably(storage_, to_); !made) return made.error();
    const Result<void> done = fill();
    if (done) return report_;
    // Nothing of it is anybody's yet.
    if (const Result<std::vector<DirEntry>> left = storage_.list(to_); left) {
      for (const DirEntry& entry : *left) static_cast<void>(storage_.remove_all(to_ + "/" + entry.name).has_value());
    }
    return done.error();
  }

 private:
  Result<void> read_manifest() {
    const std::string path = from_ + "/" + std::string(kBackupFile);
    const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
    if (!bytes && bytes.error() == Errc::not_found) {
      const Result<bool> is_there = storage_.exists(from_);
      if (!is_there) return is_there.error();
      return Error{Errc::not_found,
                   *is_there ? from_ + " is no backup, or one that was not finished: it has no " + std::string(kBackupFile)
                             : "there is no directory " + from_};
    }
    if (!bytes) return bytes.error();
    Result<BackupManifest> manifest = parse_manifest(path, *bytes);
    if (!manifest) return manifest.error();
    manifest_ = std::move(*manifest);
    return {};
  }

  /// A file more than there was is a change, too: somebody has opened the backup and written to it.
  Result<void> check_names() {
    std::set<std::string> known{std::string(kBackupFile)};
    for (const BackedUpFile& file : manifest_.files) known.insert(file.path);
    const Result<std::vector<DirEntry>> entries = storage_.list(from_);
    if (!entries) return entries.error();
    for (const DirEntry& entry : *entries) {
      if (!entry.is_directory) {
        if (!known.contains(entry.name)) return changed(entry.name, "was not there");
        continue;
      }
      const Result<std::vector<DirEntry>> files = storage_.list(from_ + "/" + entry.name);
      if (!files) return files.error();
      for (const DirEntry& file : *files) {
        if (!known.contains(entry.name + "/" + file.name)) return changed(entry.name + "/" + file.name, "was not there");
      }
    }
    return {};
  }

  [[nodiscard]] Error changed(const std::string& path, const std::string& how) const {
    return Error{Errc::corrupt, from_ + " has changed since it was made, and is not restored: " + path + " " + how};
  }

  Result<void> fill() {
    for (const BackedUpPartition& partition : manifest_.partitions) {
      if (Result<void> made = storage_.make_directories(to_ + "/" + partition.name); !made) return made;
    }
    const auto is_last = [](const BackedUpFile& file) { return file.path == kMetaFile || file.path == kTopicsFile; };
    for (const BackedUpFile& file : manifest_.files) {
      if (is_last(file)) continue;
      if (Result<void> copied = copy(file); !copied) return copied;
    }
    for (const BackedUpPartition& partition : manifest_.partitions) {
      if (Result<void> synced = storage_.sync_directory(to_ + "/" + partition.name); !synced) return synced;
    }
    if (Result<void> checked = check_partitions(); !checked) return checked;
    if (Result<void> synced = storage_.sync_directory(to_); !synced) return synced;
    for (const BackedUpFile& file : manifest_.files) {
      if (!is_last(file)) continue;
      if (Result<void> copied = copy(file); !copied) return copied;
    }
    return storage_.sync_directory(to_);
  }

  /// Durably, and checked where it has arrived.
  Result<void> copy(const BackedUpFile& file) {
    const std::string target = to_ + "/" + file.path;
    if (Result<void> copied = storage_.copy(from_ + "/" + file.path, target, file.size + 1); !copied) {
      return copied.error() == Errc::not_found ? Result<void>{changed(file.path, "is missing")} : copied;
    }
    const Result<std::unique_ptr<File>> open = storage_.open(target, OpenMode::read);
    if (!open) return open.error();
    if (Result<void> synced = (*open)->sync(); !synced) return synced;
    const Result<BackedUpFile> found = hash_of_file(storage_, target, options_.read_some);
    if (!found) return found.error();
    if (found->size != file.size) return changed(file.path, "has another size");
    if (found->hash != file.hash) return changed(file.path, "has other bytes");
    report_.files += 1;
    report_.bytes += file.size;
    return {};
  }

  Result<void> check_partitions() {
    const std::string path = from_ + "/" + std::string(kTopicsFile);
    const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
    if (!bytes && bytes.error() == Errc::not_found) return changed(std::string(kTopicsFile), "is missing");
    if (!bytes) return bytes.error();
    const Result<std::vector<TopicEntry>> topics = parse_topics(path, *bytes);
    if (!topics) return topics.error();
    for (const TopicEntry& topic : *topics) {
      for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
        const std::string name = to_string(TopicPartition{topic.info.spec.name, PartitionId{number}});
        const auto is_it = [&](const BackedUpPartition& one) { return one.name == name; };
        const auto known = std::ranges::find_if(manifest_.partitions, is_it);
        if (known == manifest_.partitions.end()) {
          return Error{Errc::corrupt, from_ + " lacks the partition " + name};
        }
        if (Result<void> checked = check_partition(topic, *known); !checked) return checked;
      }
    }
    return {};
  }

  Result<void> check_partition(const TopicEntry& topic, const BackedUpPartition& known) {
    PartitionFacts facts;
    facts.name = known.name;
    facts.gaps = topic.may_have_gaps();
    facts.is_foreign = true;  // what it begins with was checked when it was copied
    facts.proven = known.end;
    facts.start = [&known] { return known.start; };
    std::vector<Finding> lost;
    VerifyOptions options;
    options.read_some = options_.read_some;
    VerifyReport report;
    const Result<VerifiedPartition> seen =
        verify_partition(storage_, to_ + "/" + known.name, facts, options, report, [&lost](const Finding& finding) {
          if (finding.severity == FaultSeverity::error) lost.push_back(finding);
        });
    if (!seen) return seen.error();
    const auto is_of_it = [&](const BackedUpDamage& damage) { return damage.partition == known.name; };
    const bool was_damaged = std::ranges::any_of(manifest_.damage, is_of_it);
    if (!lost.empty() && !was_damaged) return Error{Errc::corrupt, "what was restored is damaged: " + text_of(lost.front())};
    if (!was_damaged && (seen->end != known.end || seen->last_batch_crc != known.last_batch_crc)) {
      return Error{Errc::corrupt, known.name + " ends at offset " + std::to_string(seen->end.value()) + ", and should end at " +
                                      std::to_string(known.end.value())};
    }
    for (const Finding& finding : lost) report_.damage.push_back(text_of(finding));
    report_.partitions += 1;
    report_.records += report.records;
    return {};
  }

  Storage& storage_;
  const std::string& from_;
  const std::string& to_;
  const BackupOptions& options_;
  BackupManifest manifest_;
  BackupReport report_;
};

}  // namespace

Result<BackupReport> restore(const std::string& from, const std::string& to, const BackupOptions& options) {
  const std::unique_ptr<Storage> own = options.ports == nullptr ? make_posix_storage() : nullptr;
  Storage& storage = own ? *own : options.ports->storage;
  return Restore{storage, from, to, options}.run();
}

}  // namespace lungo
