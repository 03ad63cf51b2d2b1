// What a process has written, and what it should have: the same inputs through a fresh core, which nothing disturbs.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>

namespace process_tests {

using namespace lungo;

struct Output {
  std::string id;
  std::string stream;
  std::string type;
  Timestamp time;
  std::string payload;
  friend bool operator==(const Output&, const Output&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Output& output) { return out << output.id << " " << output.type; }
};

inline Output output_of(const Envelope& envelope) {
  return {std::string(envelope.id), std::string(envelope.stream), std::string(envelope.type), envelope.time,
          std::string(as_text(envelope.payload))};
}

/// Everything that process P has in one partition, in order; advances of the clock left out.
template <class P>
std::vector<Output> outputs_in(EventLog& log, std::int32_t partition) {
  std::vector<Output> outputs;
  const TopicInfo topic = log.topic(P::output_topic).value();
  PartitionReader reader{log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
  while (const Envelope* envelope = reader.next().value()) {
    if (envelope->type != event_name<ClockAdvanced>()) outputs.push_back(output_of(*envelope));
  }
  return outputs;
}

/// What a fresh core makes of the inputs and of the advances of the clock that were recorded.
template <class P>
std::vector<Output> recomputed(EventLog& log, std::int32_t partition) {
  EventStore store{std::shared_ptr<EventLog>(&log, [](EventLog*) {})};
  const ProcessFoldOf<P> fold;
  ProcessCore core{fold, {std::string(category_name<P>()), PartitionId{partition}}};
  const TopicInfo outputs_topic = log.topic(P::output_topic).value();
  PartitionReader recorded{log, outputs_topic, {outputs_topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
  while (const Envelope* envelope = recorded.next().value()) {
    if (envelope->type != event_name<ClockAdvanced>()) continue;
    EXPECT_TRUE(core.take_recorded(*envelope));
  }
  ProcessEffects effects;
  EventDecoder decoder{store.shapes()};
  ProcessFoldOf<P>::add_inputs(decoder);
  const TopicInfo inputs = log.topic(topic_of<P>()).value();
  PartitionReader reader{log, inputs, {inputs.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
  while (const Envelope* envelope = reader.next().value()) {
    const Decoded decoded = decoder.decode(*envelope).value();
    EXPECT_TRUE(core.apply_recorded(envelope->offset, effects));
    EXPECT_TRUE(core.on_input(*envelope, decoded.type, decoded.event, effects));
  }
  EXPECT_TRUE(core.apply_recorded(reader.position().offset, effects));
  std::vector<Output> outputs;
  for (const EncodedRecords& batch : effects.batches) {
    for (std::size_t index = 0; index < batch.count(); ++index) {
      RecordView record = parse_record_body(batch.body(index)).value();
      record.timestamp = batch.entries()[index].timestamp;
      outputs.push_back(output_of(parse_envelope(P::output_topic, PartitionId{partition}, record).value()));
    }
  }
  return outputs;
}

}  // namespace process_tests
