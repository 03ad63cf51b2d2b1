// What the writer writes, for it and for those who look at what a power cut has left of it.
//
// A lane is one partition with one writing thread. The n-th record of a partition says that it is the n-th, who wrote it, and
// carries a checksum of itself, so that a record that is lost, repeated, moved or mixed up is seen for what it is.
#pragma once

#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/event_log.hpp>

#include "base/crc32c.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

struct Lane {
  std::string_view topic;
  std::int32_t partition = 0;
  AckLevel ack_level = AckLevel::isr_sync;
  Compression compression = Compression::none;
  bool is_async = false;  // many appends under way
  bool streams = false;   // with conditions and ids
  bool trims = false;     // asks for its oldest records to be deleted
  bool is_brief = false;  // has retention
  bool visits = false;    // its topic is deleted and made again
  bool is_compacted = false;

  [[nodiscard]] TopicPartition place() const { return {std::string(topic), PartitionId{partition}}; }
};

inline constexpr std::array kLanes{
    Lane{.topic = "synced"},
    Lane{.topic = "synced", .partition = 1, .is_async = true},
    Lane{.topic = "written", .ack_level = AckLevel::isr},
    Lane{.topic = "written", .partition = 1, .ack_level = AckLevel::isr, .is_async = true},
    Lane{.topic = "packed", .compression = Compression::zstd, .is_async = true},
    Lane{.topic = "orders", .streams = true},
    Lane{.topic = "brief", .is_async = true, .is_brief = true},
    Lane{.topic = "trimmed", .ack_level = AckLevel::isr, .trims = true},
    Lane{.topic = "visitor", .visits = true},
    Lane{.topic = "latest", .ack_level = AckLevel::isr, .is_async = true, .is_compacted = true},
};

inline TopicSpec spec_of(const Lane& lane) {
  TopicSpec spec;
  spec.name = lane.topic;
  spec.partitions = 1;
  for (const Lane& other : kLanes) {
    if (other.topic == lane.topic) spec.partitions = std::max(spec.partitions, other.partition + 1);
  }
  spec.streams = lane.streams;
  spec.ack_level = lane.ack_level;
  spec.compression = lane.compression;
  spec.segment_bytes = 32u << 10;  // rolls all the time
  if (lane.is_brief) spec.retention_bytes = 128u << 10;
  if (lane.is_compacted) {
    spec.compact = true;
    spec.dirty_ratio_min = 0.1;
    spec.segment_bytes = 4u << 10;
  }
  return spec;
}

/// Of a compacted lane the n-th record has the key of the one that is so many in front of it.
inline constexpr std::int64_t kCompactedKeys = 20;

inline std::string compacted_key(Offset offset) { return "k" + std::to_string(offset.value() % kCompactedKeys); }

/// Who wrote a record: the process's number, and for a topic that comes and goes which of them.
struct Author {
  std::uint32_t life = 0;
  std::uint32_t visit = 0;
  friend bool operator==(const Author&, const Author&) = default;
};

/// "LIFE.VISIT OFFSET FILLER CRC", the last in 8 hex digits, of what is in front.
inline std::string lane_value(Author author, Offset offset, Random& random) {
  std::string value =
      std::to_string(author.life) + "." + std::to_string(author.visit) + " " + std::to_string(offset.value()) + " ";
  const std::size_t filler = random.one_in(200) ? 5000 + random.below(30'000) : random.below(300);
  while (value.size() < filler) {
    const std::uint64_t bits = random.next();
    for (unsigned letter = 0; letter < 12; ++letter) value += static_cast<char>('a' + (bits >> (5 * letter)) % 26);
  }
  char digits[10];
  std::snprintf(digits, sizeof digits, " %08x", crc32c(as_bytes(value)));
  return value + digits;
}

struct LaneRecord {
  Author author;
  Offset offset;
  std::uint32_t checksum = 0;
};

/// Nothing for what is no lane_value().
inline std::optional<LaneRecord> parse_lane_value(std::string_view value) {
  constexpr std::size_t kTail = 9;
  if (value.size() < kTail || value[value.size() - kTail] != ' ') return std::nullopt;
  LaneRecord record;
  const std::string_view front = value.substr(0, value.size() - kTail);
  const std::string_view digits = value.substr(value.size() - kTail + 1);
  const auto taken = std::from_chars(digits.begin(), digits.end(), record.checksum, 16);
  if (taken.ptr != digits.end() || record.checksum != crc32c(as_bytes(front))) return std::nullopt;
  long long offset = 0;
  if (std::sscanf(std::string(front.substr(0, 60)).c_str(), "%u.%u %lld", &record.author.life, &record.author.visit, &offset) !=
      3) {
    return std::nullopt;
  }
  record.offset = Offset{offset};
  return record;
}

}  // namespace lungo::test
