#include "verify.hpp"

#include <algorithm>
#include <mutex>

#include <lungo/log/text.hpp>

#include "cleaned_ends.hpp"
#include "log_dir.hpp"
#include "log_starts.hpp"
#include "parallel.hpp"
#include "partition_directories.hpp"
#include "segment.hpp"
#include "synced_mark.hpp"

namespace lungo {
namespace {

constexpr std::string_view kCheckpoints[] = {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
                                             "cleaner-offset-checkpoint"};
Offset offset_of(const Result<OffsetsByPartition>& offsets, const TopicPartition& partition) {
  if (!offsets) return Offset{0};
  const auto found = offsets->find(partition);
  return found == offsets->end() ? Offset{0} : found->second;
}

class DirectoryVerifier {
 public:
  DirectoryVerifier(Storage& storage, const std::string& directory, const VerifyOptions& options, const TakeFinding& take)
      : storage_(storage), directory_(directory), options_(options), take_(take) {}

  Result<VerifyReport> run() {
    Result<std::vector<TopicEntry>> topics = read_topics();
    if (!topics) return topics.error();
    if (Result<void> checked = check_checkpoints(); !checked) return checked.error();
    std::vector<Job> jobs;
    for (const TopicEntry& topic : *topics) {
      for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
        jobs.push_back({&topic, TopicPartition{topic.info.spec.name, PartitionId{number}}});
      }
    }
    if (Result<void> looked = look_at_all(jobs); !looked) return looked.error();
    return report_;
  }

  /// Those that are to be looked at.
  Result<std::vector<TopicEntry>> read_topics() {
    Result<std::unique_ptr<LogDir>> dir = LogDir::open_reader(storage_, directory_);
    std::vector<TopicEntry> topics;
    if (dir) {
      dir_ = std::move(*dir);
      topics = dir_->topics();
    } else if (dir.error() != Errc::corrupt) {
      return dir.error();
    } else {
      add(FaultSeverity::error, {}, std::string(dir.error().text()));
      Result<std::vector<TopicEntry>> guessed = topics_of_directories();
      if (!guessed) return guessed;
      topics = std::move(*guessed);
    }
    for (const std::string& name : options_.topics) {
      const auto is_it = [&](const TopicEntry& topic) { return topic.info.spec.name == name; };
      if (std::ranges::none_of(topics, is_it)) return Error{Errc::not_found, "no topic " + name + " in " + directory_};
    }
    std::erase_if(topics, [this](const TopicEntry& topic) {
      return !options_.topics.empty() && std::ranges::find(options_.topics, topic.info.spec.name) == options_.topics.end();
    });
    return topics;
  }

 private:
  /// Where nothing says what the topics are, what is there is looked at without asking for more.
  Result<std::vector<TopicEntry>> topics_of_directories() {
    const Result<Bytes> bytes = read_file(storage_, directory_ + "/" + std::string(kTopicsFile), kFileBytesMax);
    if (bytes) {
      Result<std::vector<TopicEntry>> topics = parse_topics(std::string(kTopicsFile), *bytes);
      if (topics) return topics;
    }
    const Result<std::vector<DirEntry>> entries = storage_.list(directory_);
    if (!entries) return entries.error();
    std::vector<TopicEntry> topics;
    for (const DirEntry& entry : *entries) {
      if (!entry.is_directory || !is_partition_name(entry.name)) continue;
      const std::size_t dash = entry.name.rfind('-');
      const std::string name = entry.name.substr(0, dash);
      const auto number = parse_number<std::int32_t>(entry.name.substr(dash + 1));
      if (!number) continue;
      if (topics.empty() || topics.back().info.spec.name != name) {
        topics.emplace_back();
        topics.back().info.spec.name = name;
        topics.back().info.spec.partitions = 0;
        topics.back().gaps = true;
      }
      std::int32_t& partitions = topics.back().info.spec.partitions;
      partitions = std::max(partitions, *number + 1);
    }
    return topics;
  }

  Result<void> check_checkpoints() {
    for (const std::string_view name : kCheckpoints) {
      const Result<OffsetsByPartition> offsets = read_checkpoint(storage_, directory_ + "/" + std::string(name));
      if (offsets) continue;
      if (offsets.error() == Errc::io) return offsets.error();
      add(FaultSeverity::warning, std::string(name), std::string(offsets.error().text()));
    }
    // Kafka's file counts instead, and has no checksum.
    if (Result<void> looked = look_at_file(kLogStartsFile, parse_log_starts, FaultSeverity::error); !looked) return looked;
    // Compaction begins at the oldest records again.
    return look_at_file(kCleanedEndsFile, parse_cleaned_ends, FaultSeverity::warning);
  }

  template <class Parse>
  Result<void> look_at_file(std::string_view name, Parse parse, FaultSeverity severity) {
    const std::string path = directory_ + "/" + std::string(name);
    const Result<Bytes> bytes = read_file(storage_, path, kFileBytesMax);
    if (!bytes) return bytes.error() == Errc::not_found ? Result<void>{} : bytes.error();
    const auto parsed = parse(path, *bytes);
    if (!parsed) add(severity, std::string(name), std::string(parsed.error().text()));
    return {};
  }

  struct Job {
    const TopicEntry* topic;
    TopicPartition partition;
  };

  /// Some at a time; what they have found is told by one, partition by partition.
  Result<void> look_at_all(const std::vector<Job>& jobs) {
    std::mutex mutex;
    std::optional<Error> error;
    VerifyOptions options = options_;
    if (options_.read_some) {
      options.read_some = [&](std::uint64_t bytes) {
        const std::lock_guard lock(mutex);
        options_.read_some(bytes);
      };
    }
    const auto look = [&](std::size_t index) {
      VerifyReport report;
      std::vector<Finding> findings;
      const Result<void> looked = look_at(*jobs[index].topic, jobs[index].partition, options, report,
                                          [&findings](const Finding& finding) { findings.push_back(finding); });
      const std::lock_guard lock(mutex);
      for (const Finding& finding : findings) take_(finding);
      report_.add(report);
      if (!looked && !error) error = looked.error();
    };
    if (options_.executor == nullptr) {
      for (std::size_t i = 0; i < jobs.size() && !error; ++i) look(i);
    } else {
      run_in_parallel(*options_.executor, options_.width, jobs.size(), look);
    }
    return error ? Result<void>{*error} : Result<void>{};
  }

  Result<void> look_at(const TopicEntry& topic, const TopicPartition& partition, const VerifyOptions& options,
                       VerifyReport& report, const TakeFinding& take) {
    const std::string path = directory_ + "/" + to_string(partition);
    const Result<std::optional<Offset>> mark = SyncedMark::read(storage_, path);
    if (!mark) return mark.error();
    const Result<OffsetsByPartition> points = read_checkpoint(storage_, directory_ + "/" + std::string(kCheckpoints[0]));
    PartitionFacts facts;
    facts.name = to_string(partition);
    facts.is_foreign = topic.gaps;
    facts.gaps = topic.may_have_gaps();
    facts.streams = topic.info.spec.streams;
    if (dir_) facts.clean = dir_->marks().clean_end(partition);
    facts.has_mark = mark->has_value();
    facts.start = [&] { return offset_of(read_log_starts(storage_, directory_), partition); };
    facts.proven = std::max(
        {mark->value_or(Offset{0}), offset_of(points, partition), facts.start(), facts.clean ? facts.clean->end : Offset{0}});
    const Result<VerifiedPartition> seen = verify_partition(storage_, path, facts, options, report, take);
    if (seen) return {};
    // Beside a writer that deletes the topic.
    const Result<bool> is_there = storage_.exists(path);
    return seen.error() == Errc::not_found && is_there && !*is_there ? Result<void>{} : seen.error();
  }

  void add(FaultSeverity severity, const std::string& file, const std::string& what) {
    Finding finding;
    finding.severity = severity;
    finding.file = file;
    finding.what = what;
    (severity == FaultSeverity::error ? report_.errors : report_.warnings) += 1;
    take_(finding);
  }

  Storage& storage_;
  const std::string& directory_;
  const VerifyOptions& options_;
  const TakeFinding& take_;
  std::unique_ptr<LogDir> dir_;  // null: it can't be opened
  VerifyReport report_;
};

}  // namespace

std::string_view to_string(FaultSeverity severity) {
  switch (severity) {
    case FaultSeverity::note:
      return "note";
    case FaultSeverity::warning:
      return "warning";
    case FaultSeverity::error:
      return "error";
  }
  return "error";
}

void VerifyReport::add(const VerifyReport& more) {
  partitions += more.partitions;
  segments += more.segments;
  digests += more.digests;
  batches += more.batches;
  records += more.records;
  bytes += more.bytes;
  errors += more.errors;
  warnings += more.warnings;
  notes += more.notes;
}

std::string text_of(const Finding& finding) {
  std::string text = finding.partition;
  if (!finding.file.empty()) text += (text.empty() ? "" : "/") + finding.file;
  if (!text.empty()) text += ": ";
  if (finding.position) text += "byte " + std::to_string(*finding.position);
  if (finding.position && finding.bytes > 0) text += ", " + std::to_string(finding.bytes) + " bytes";
  if (finding.position) text += ": ";
  if (finding.from && finding.end) {
    text += "offsets " + std::to_string(finding.from->value()) + " to before " + std::to_string(finding.end->value()) + ": ";
  } else if (finding.from) {
    text += "from offset " + std::to_string(finding.from->value()) + ": ";
  }
  return text + finding.what;
}

Result<VerifyReport> verify_directory(Storage& storage, const std::string& directory, const VerifyOptions& options,
                                      const TakeFinding& take) {
  return DirectoryVerifier{storage, directory, options, take}.run();
}

Result<std::uint64_t> bytes_to_verify(Storage& storage, const std::string& directory, const VerifyOptions& options) {
  const TakeFinding ignore = [](const Finding&) {};
  const Result<std::vector<TopicEntry>> topics = DirectoryVerifier{storage, directory, options, ignore}.read_topics();
  if (!topics) return topics.error();
  std::uint64_t sum = 0;
  for (const TopicEntry& topic : *topics) {
    for (std::int32_t number = 0; number < topic.info.spec.partitions; ++number) {
      const std::string path = directory + "/" + to_string(TopicPartition{topic.info.spec.name, PartitionId{number}});
      const Result<std::vector<DirEntry>> entries = storage.list(path);
      if (!entries) continue;
      for (const DirEntry& entry : *entries) {
        if (!segment_base(entry.name, kLogSuffix)) continue;
        const Result<std::unique_ptr<File>> file = storage.open(path + "/" + entry.name, OpenMode::read);
        const Result<std::uint64_t> size = file ? (*file)->size() : Result<std::uint64_t>{0};
        sum += size ? *size : 0;
      }
    }
  }
  return sum;
}

}  // namespace lungo
