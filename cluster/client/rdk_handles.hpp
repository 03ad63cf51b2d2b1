// Owner types for what librdkafka hands out. For rdk_*.cpp alone: no other file includes <librdkafka/rdkafka.h> or this one.
//
// Promise: nothing else calls a *_destroy. One list that is not freed lets rd_kafka_destroy() hang for ever.
// A handle comes last among the members of whoever owns one, so that it goes first: what its callbacks point to, and what it
// still refers to, outlives it.
// Threads: as librdkafka says of each.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

#include <lungo/log/result.hpp>

#include "client/rdk_settings.hpp"

namespace lungo::rdk {

/// Calls the C function that ends an object; some take it as a pointer to const.
template <auto destroy>
struct Destroys {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};

template <class T, auto destroy>
using Owned = std::unique_ptr<T, Destroys<destroy>>;

/// Its end blocks until librdkafka's threads have ended, and may hang where a broker can't be reached (librdkafka #4519). A
/// consumer is closed before.
using Handle = Owned<rd_kafka_t, rd_kafka_destroy>;
using Conf = Owned<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using Topic = Owned<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using Queue = Owned<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Owned<rd_kafka_event_t, rd_kafka_event_destroy>;
using Message = Owned<rd_kafka_message_t, rd_kafka_message_destroy>;
using Headers = Owned<rd_kafka_headers_t, rd_kafka_headers_destroy>;
using CallError = Owned<rd_kafka_error_t, rd_kafka_error_destroy>;
using PartitionList = Owned<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using Metadata = Owned<const struct rd_kafka_metadata, rd_kafka_metadata_destroy>;
using ConsumerGroupMetadata = Owned<rd_kafka_consumer_group_metadata_t, rd_kafka_consumer_group_metadata_destroy>;

using AdminOptions = Owned<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using NewTopic = Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using DeleteTopic = Owned<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;
using NewPartitions = Owned<rd_kafka_NewPartitions_t, rd_kafka_NewPartitions_destroy>;
using DeleteRecords = Owned<rd_kafka_DeleteRecords_t, rd_kafka_DeleteRecords_destroy>;
using ConfigResource = Owned<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
using ListGroupOffsets = Owned<rd_kafka_ListConsumerGroupOffsets_t, rd_kafka_ListConsumerGroupOffsets_destroy>;

/// What librdkafka allocated and gave away: texts and serialized bytes.
inline void free_memory(void* memory) { rd_kafka_mem_free(nullptr, memory); }
using Text = Owned<char, free_memory>;
using Memory = Owned<void, free_memory>;

/// In this order; a later setting of a property wins. Errors: invalid_argument with librdkafka's words, the values of secrets
/// masked.
Result<Conf> make_conf(const RdkSettings& settings);
/// librdkafka's words about a setting name its value: masked, where that is a secret.
std::string without_secret(std::string text, const RdkSetting& setting);

}  // namespace lungo::rdk
