// What has to be known before records are copied to a Kafka cluster or from there (copy.hpp): the rights that it takes, and
// what no broker would take. Pure. Threads: any.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <lungo/cluster/address.hpp>
#include <lungo/log/event_log.hpp>

namespace lungo {

/// The lines for a shell that give a user what the application needs on a cluster that asks for rights, to write these topics
/// or only to read them. Without names they are for all topics.
std::vector<std::string> kafka_rights(const KafkaAddress& address, const std::vector<std::string>& topics, bool to_write);

/// Why Kafka does not take the record into a topic like this one; nothing where it does. For CopyOptions::refuses.
std::optional<std::string> kafka_refusal(const TopicSpec& topic, const RecordView& record);

}  // namespace lungo
