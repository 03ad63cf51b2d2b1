// LocalEventLog: what it tells of itself.

#include "local_event_log.hpp"

namespace lungo {

std::vector<Metric> LocalEventLog::metrics() {
  std::uint64_t damaged = 0;
  for (const std::shared_ptr<const OpenTopic>& topic : open_topics_.all()) {
    for (const std::shared_ptr<OpenPartition>& partition : topic->partitions) {
      if (const std::shared_ptr<PartitionLog> log = partition->log()) damaged += log->damage().size();
    }
  }
  const Scrubber::Counts scrub = scrubber_ ? scrubber_->counts() : Scrubber::Counts{};
  return {
      {"lungo_log_damaged_ranges", "Ranges of records that are known to be lost", MetricKind::gauge, damaged},
      {"lungo_log_scrub_bytes_total", "Bytes of batches that the scrub has read", MetricKind::counter, scrub.bytes},
      {"lungo_log_scrub_rounds_total", "How often the scrub has come to the end of all partitions", MetricKind::counter,
       scrub.rounds},
      {"lungo_log_scrub_damaged_total", "Damaged places that the scrub was the first to find", MetricKind::counter,
       scrub.damaged},
      {"lungo_log_scrub_digests_denied_total", "Segments that are not as their digest says", MetricKind::counter,
       scrub.denied_digests},
  };
}

}  // namespace lungo
