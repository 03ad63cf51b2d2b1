#include <lungo/log/copy.hpp>

#include "copy_partition.hpp"

namespace lungo {

namespace {

/// Goes over all partitions, one after the other.
class LogCopy {
 public:
  LogCopy(EventLog& from, EventLog& to, const CopyOptions& options) : from_(from), to_(to), options_(options) {}

  Result<CopyReport> run() {
    if (Result<void> made = make_topics(); !made) return made.error();
    for (const Job& job : jobs_) {
      if (Result<void> copied = copy(job); !copied) return copied.error();
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

  /// All of them before a record is written: what is there with other settings is told at once.
  Result<void> make_topics() {
    const Result<std::vector<TopicInfo>> topics = from_.topics();
    if (!topics) return topics.error();
    for (const TopicInfo& topic : *topics) {
      if (options_.takes && !options_.takes(topic)) continue;
      const Result<TopicInfo> made = to_.create_topic(topic.spec);
      if (!made) return made.error();
      ++report_.topics;
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

  Result<void> copy(const Job& job) {
    static const std::set<Offset> kNone;
    const TopicPartition name{job.topic.name, job.partition};
    const auto marks = options_.marks.find(name);
    Result<PartitionCopier> partition = PartitionCopier::begin(from_, to_, job.topic, job.partition, job.end,
                                                               marks == options_.marks.end() ? kNone : marks->second);
    if (!partition) return partition.error();
    if (Result<void> copied = partition->run(options_.timeout, teller(job, false)); !copied) return copied;
    if (options_.verify) {
      if (Result<void> same = partition->verify(teller(job, true)); !same) return same;
    }
    done_ += job.end - job.start;
    report_.records += partition->records();
    report_.found_there += partition->found_there();
    if (!partition->marks().empty()) report_.marks[name] = partition->marks();
    report_.ends[name] = job.end;
    return {};
  }

  [[nodiscard]] PartitionCopier::Tell teller(const Job& job, bool verifying) const {
    return [this, &job, verifying](Offset at) {
      if (!options_.progress) return true;
      return options_.progress({.partition = {job.topic.name, job.partition},
                                .verifying = verifying,
                                .offsets_done = done_ + (at - job.start),
                                .offsets = offsets_});
    };
  }

  EventLog& from_;
  EventLog& to_;
  const CopyOptions& options_;
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
