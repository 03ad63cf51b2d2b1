// The records of an open transaction, from their first try to the last acknowledgement: what the writer hands to its producer,
// and what became of it.
//
//   hand_over() --token for each record--> producer --deliveries--> look() ... until is_done(); then outcome()
//
// Promise: an outcome of Acknowledged has a place for every record. One that was acknowledged without its offset was sent
// twice: it counts as failed, as its place is not known. Of what failed it is told whether a broker, or the client, has refused
// it, and whether any of it may have been written. Threads: none of its own; the writer's. The appends stay where they are
// until it goes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/kafka_names.hpp"
#include "client/rdk_producer.hpp"
#include "client/writer_messages.hpp"

namespace lungo {

class RecordsUnderWay {
 public:
  /// Tokens ascend from `first_token` on, one for each record.
  RecordsUnderWay(const writing::Produce& produce, std::uint64_t first_token);

  /// Gives the producer all records, and waits for acknowledgements where its queue is full. Where one is refused, none follow.
  void hand_over(RdkProducer& producer, const KafkaNames& names);
  /// Waits for acknowledgements for `patience`, and takes what has come.
  void look(RdkProducer& producer, Duration patience);

  /// Nothing more is waited for.
  [[nodiscard]] bool is_done() const { return left_ == 0; }
  [[nodiscard]] std::size_t count() const { return records_.size(); }
  [[nodiscard]] bool has_failed() const { return failure_.has_value(); }
  /// Acknowledged, or ProduceFailed.
  [[nodiscard]] writing::Input outcome() const;

 private:
  Result<void> hand_over(RdkProducer& producer, const KafkaNames& names, std::size_t record);
  void refuse(const TopicPartition& partition, const Error& error, bool lasts, std::optional<std::size_t> append);
  void look_at_end(RdkProducer& producer);
  [[nodiscard]] writing::Acknowledged acknowledged() const;

  const writing::HandleNumber handle_;
  const std::uint64_t first_token_;
  const std::vector<const AppendRequest*> appends_;
  std::vector<std::pair<std::size_t, std::size_t>> records_;  // by token: which append, and which of its records
  std::vector<Offset> offsets_;                               // by token
  std::map<std::string, std::string> kafka_names_;            // of topics
  std::vector<HeaderView> headers_;                           // of the record that is handed over
  std::size_t left_ = 0;                                      // whose fate is not told
  std::vector<writing::ProduceFailed::Refused> refused_;
  std::optional<Error> failure_;
  bool is_unsure_ = false;  // whether some were written
};

}  // namespace lungo
