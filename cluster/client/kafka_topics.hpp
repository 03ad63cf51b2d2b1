// What a topic of Lungo's is on Kafka: the settings that it is made with, those that it must have, and what a topic that Lungo
// did not make passes for.
//
//   make     all that a TopicSpec says and Kafka has a setting for, by name; what a cluster's operator changes later is
//            looked at where the application asks for the topic as it is then
//   demand   what promises rest on: nothing of a stream topic goes unless it was asked for, times are what they are said
//            to be, a leader that lacks records is never elected, and where there are three replicas two have each record
//
// What has no setting there: ack_level (a record is acknowledged by the in-sync replicas), flush_interval, producer_expiry.
// Pure. Threads: any.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <lungo/log/event_log.hpp>

namespace lungo {

/// A topic's settings by Kafka's names.
using KafkaSettings = std::map<std::string, std::string>;

/// What the topic is made with. `replication`: replicas of each partition, as far as is known; 0 for the broker's default.
KafkaSettings kafka_settings(const TopicSpec& spec, int replication);

/// What of that must change: name and value, empty when nothing. `there`: all of its settings, the broker's defaults included.
KafkaSettings unfit_settings(const TopicSpec& spec, int replication, const KafkaSettings& there);

/// Of what `wanted` is made with and `before` was not, that which is not so there.
KafkaSettings unchanged_settings(const TopicSpec& before, const TopicSpec& wanted, int replication, const KafkaSettings& there);

/// What of a topic is not to be changed on Kafka, as topic_difference(); empty when that is the same.
std::string lasting_difference(const TopicSpec& there, const TopicSpec& wanted);

/// already_exists, with each setting as it is and the line for kafka-configs.sh that mends it.
Error unfit_error(const std::string& hosts, const std::string& topic, const KafkaSettings& wanted, const KafkaSettings& there);

/// A topic that was made by others: plain, with what Kafka says of it as far as a TopicSpec has it.
TopicSpec foreign_topic(const std::string& name, std::int32_t partitions, const KafkaSettings& there);

}  // namespace lungo
