#include <lungo/log/types.hpp>

#include <lungo/log/text.hpp>

namespace lungo {

std::string to_string(const TopicId& id) { return to_base64(std::as_bytes(std::span{id.bytes}), Base64::url); }

std::string to_string(const TopicPartition& tp) { return tp.topic + "-" + std::to_string(tp.partition.value()); }

}  // namespace lungo
