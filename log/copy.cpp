#include <lungo/log/copy.hpp>

#include <algorithm>

#include "copy_partition.hpp"
#include "copy_target.hpp"

namespace lungo {

namespace {

constexpr std::string_view kFrameworks = "__lungo_";
constexpr std::size_t kRefusedMax = 20;  // that are named
constexpr std::int64_t kRecordsPerTell = 4'096;

/// Goes over all partitions, one after the other.
class LogCopy {
 public:
  LogCopy(EventLog& from, EventLog& to, const CopyOptions& options) : from_(from), to_(to), options_(options) {}

  Result<CopyReport> run() {
    if (Result<void> listed = list(); !listed) return listed.error();
    if (Result<void> taken = look_for_refused(); !taken) return taken.error();
    if (Result<void> made = make_topics(); !made) return made.error();
    const Result<std::unique_ptr<CopyTarget>> target = CopyTarget::join(to_, with_owners_, options_.timeout);
    if (!target) return target.error();
    for (const Job& job : jobs_) {
      if (Result<void> copied = copy(job); !copied) return copied.error();
    }
    if (options_.finish) {
      if (Result<void> finished = options_.finish(report_); !finished) return finished.error();
    }
    return std::move(report_);
  }

 private:
  struct Job {
    TopicSpec topic;
    PartitionId partition;
    Offset start;
    Offset end;
  };
  struct Refused {
    std::size_t count = 0;
    std::string named;
  };

  Result<void> list() {
    Result<std::vector<TopicInfo>> topics = from_.topics();
    if (!topics) return topics.error();
    std::ranges::stable_partition(*topics, [](const TopicInfo& topic) { return topic.spec.name.starts_with(kFrameworks); });
    for (TopicInfo& topic : *topics) {
      if (options_.takes && !options_.takes(topic)) continue;
      if (options_.ack_level) topic.spec.ack_level = *options_.ack_level;
      topics_.push_back(topic.spec);
      for (std::int32_t index = 0; index < topic.spec.partitions; ++index) {
        const PartitionId partition{index};
        const Result<Ends> ends = from_.ends({topic.spec.name, partition});
        if (!ends) return ends.error();
        jobs_.push_back({topic.spec, partition, ends->start, ends->committed});
        offsets_ += ends->committed - ends->start;
      }
    }
    return {};
  }

  Result<void> look_for_refused() {
    if (!options_.refuses) return {};
    Refused refused;
    for (const Job& job : jobs_) {
      if (Result<void> looked = look_for_refused(job, refused); !looked) return looked;
      done_ += job.end - job.start;
    }
    done_ = 0;
    if (refused.count == 0) return {};
    if (refused.count > kRefusedMax) refused.named += "; and " + std::to_string(refused.count - kRefusedMax) + " more";
    return Error{Errc::invalid_argument, "the target does not take " + std::to_string(refused.count) +
                                             (refused.count == 1 ? " record" : " records") + ", so nothing was copied" +
                                             refused.named};
  }

  Result<void> look_for_refused(const Job& job, Refused& refused) {
    const TopicPartition partition{job.topic.name, job.partition};
    const Result<TopicInfo> there = to_.topic(job.topic.name);
    const TopicSpec& spec = there ? there->spec : job.topic;
    const PartitionCopier::Tell tell = teller(job, CopyPhase::checking);
    RecordWalk walk{from_, partition, job.start, job.end};
    for (std::int64_t seen = 0;; ++seen) {
      const Result<const RecordView*> record = walk.peek();
      if (!record) return record.error();
      if (*record == nullptr) return {};
      if (const std::optional<std::string> why = options_.refuses(spec, **record); why && ++refused.count <= kRefusedMax) {
        refused.named += "; " + to_string(partition) + ", offset " + std::to_string((*record)->offset.value()) + ": " + *why;
      }
      walk.pop();
      if (seen % kRecordsPerTell == 0 && !tell(walk.at())) return copy_canceled();
    }
  }

  /// All of them before a record is written: what is there with other settings is told at once.
  Result<void> make_topics() {
    for (const TopicSpec& topic : topics_) {
      const Result<TopicInfo> made = to_.create_topic(topic);
      if (!made) return why_not(topic, made.error());
      ++report_.topics;
      if (topic.streams && !topic.compact) with_owners_.push_back(topic);
    }
    return {};
  }

  Error why_not(const TopicSpec& topic, const Error& error) {
    const Result<TopicInfo> there = to_.topic(topic.name);
    if (error != Errc::already_exists || !there || there->spec.partitions == topic.partitions) return error;
    return Error{error.code(), std::string(error.text()) +
                                   "; a copy has as many partitions as its source: with another number streams would move to "
                                   "other partitions, and the ids that processes gave with them"};
  }

  Result<void> copy(const Job& job) {
    static const std::set<Offset> kNone;
    const TopicPartition name{job.topic.name, job.partition};
    const auto marks = options_.marks.find(name);
    Result<PartitionCopier> partition = PartitionCopier::begin(from_, to_, job.topic, job.partition, job.end,
                                                               marks == options_.marks.end() ? kNone : marks->second);
    if (!partition) return partition.error();
    if (Result<void> copied = partition->run(options_.timeout, teller(job, CopyPhase::copying)); !copied) return copied;
    if (options_.verify) {
      const bool is_shared = options_.shared.contains(job.topic.name);
      if (Result<void> same = partition->verify(is_shared, teller(job, CopyPhase::verifying)); !same) return same;
    }
    done_ += job.end - job.start;
    report_.records += partition->records();
    report_.found_there += partition->found_there();
    if (!partition->marks().empty()) report_.marks[name] = partition->marks();
    report_.ends[name] = job.end;
    return {};
  }

  [[nodiscard]] PartitionCopier::Tell teller(const Job& job, CopyPhase phase) const {
    return [this, &job, phase](Offset at) {
      if (!options_.progress) return true;
      return options_.progress({.partition = {job.topic.name, job.partition},
                                .phase = phase,
                                .offsets_done = done_ + (at - job.start),
                                .offsets = offsets_});
    };
  }

  EventLog& from_;
  EventLog& to_;
  const CopyOptions& options_;
  std::vector<TopicSpec> topics_;
  std::vector<TopicSpec> with_owners_;  // of them, in the target
  std::vector<Job> jobs_;
  std::int64_t offsets_ = 0;
  std::int64_t done_ = 0;
  CopyReport report_;
};

}  // namespace

Result<CopyReport> copy_log(EventLog& from, EventLog& to, const CopyOptions& options) {
  return LogCopy{from, to, options}.run();
}

}  // namespace lungo
