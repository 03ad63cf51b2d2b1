// What the writer asks the mirror before it appends. Threads: any.
#pragma once

#include "client/kafka_mirror.hpp"
#include "client/mirror_lookup.hpp"

namespace lungo {

class KafkaLookup final : public writing::MirrorLookup {
 public:
  /// `mirror` outlives it.
  explicit KafkaLookup(KafkaMirror& mirror) : mirror_(mirror) {}

  bool is_stream(const TopicPartition& partition) const override {
    const Result<TopicInfo> topic = mirror_.reads().topic(partition.topic);
    return topic && topic->spec.streams;
  }
  Result<Range> range(const TopicPartition& partition) const override {
    const Result<Ends> ends = mirror_.reads().ends(partition);
    if (!ends) return ends.error();
    return Range{.start = ends->start, .end = ends->committed};
  }
  Result<std::optional<Offset>> latest(const TopicPartition& partition, std::string_view key, Offset from) const override {
    return mirror_.find_latest(partition, key, from);
  }
  /// Of a plain topic nothing is found by key: there `from` says nothing.
  Result<std::optional<Appended>> repeated(const TopicPartition& partition, const EncodedRecords& records,
                                           std::optional<Offset> from) const override {
    return mirror_.find_appended(partition, records, is_stream(partition) ? from : std::nullopt);
  }

 private:
  KafkaMirror& mirror_;
};

}  // namespace lungo
