#include <lungo/cluster/kafka_copy.hpp>

#include "client/kafka_names.hpp"

namespace lungo {

namespace {

/// Around key, value and headers of a record that is alone in its batch: the batch's header, and at most so many bytes of
/// lengths, times and counts.
constexpr std::size_t kAroundRecord = kBatchHeaderBytes + 36;

std::string operations_of(const std::vector<std::string_view>& operations) {
  std::string text;
  for (const std::string_view operation : operations) text += " --operation " + std::string(operation);
  return text;
}

}  // namespace

std::vector<std::string> kafka_rights(const KafkaAddress& address, const std::vector<std::string>& topics, bool to_write) {
  const std::string begin = "kafka-acls.sh --bootstrap-server " + address.hosts + " --add --allow-principal User:NAME";
  const std::string on_topic =
      operations_of(to_write ? std::vector<std::string_view>{"read", "write", "describe", "create", "describeconfigs"}
                             : std::vector<std::string_view>{"read", "describe", "describeconfigs"});
  const Result<KafkaNames> names = KafkaNames::of(address.app);
  std::vector<std::string> lines;
  std::string named;
  for (const std::string& topic : topics) {
    const std::string on_kafka = names ? names->on_kafka(topic) : topic;
    if (on_kafka != "__lungo_shapes") named += " --topic " + on_kafka;
  }
  lines.push_back(begin + on_topic + (named.empty() ? " --topic '*'" : named + " --topic __lungo_shapes"));
  lines.push_back(begin + on_topic + " --resource-pattern-type prefixed --topic __lungo_" + address.app + "_");
  if (!to_write) return lines;
  const std::string prefix = address.app + ".";
  lines.push_back(begin + operations_of({"read", "describe"}) + " --resource-pattern-type prefixed --group " + prefix);
  lines.push_back(begin + operations_of({"write", "describe"}) + " --resource-pattern-type prefixed --transactional-id " +
                  prefix);
  lines.push_back(begin + operations_of({"idempotentwrite"}) + " --cluster   # before Kafka 3.0 only");
  return lines;
}

std::optional<std::string> kafka_refusal(const TopicSpec& topic, const RecordView& record) {
  if (record.timestamp == Timestamp{}) {
    return "its time is 1970-01-01T00:00:00.000Z, which librdkafka takes for none and replaces";
  }
  const std::size_t bytes = record.key.size() + record.value.size() + record.headers.size() + kAroundRecord;
  if (bytes <= topic.batch_bytes_max) return std::nullopt;
  return "it takes " + std::to_string(bytes) + " bytes, and a batch of its topic at most " +
         std::to_string(topic.batch_bytes_max) + " (max.message.bytes)";
}

}  // namespace lungo
