// The strong types that cross function boundaries: offsets, partitions, epochs, topic ids, times.
//
// For every folder. A raw integer is never an offset, a partition or an epoch; conversion is explicit and arithmetic says its
// unit. Ranges are half-open: [begin, end).
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace lungo {

/// A distinct value type over an integer: explicit to make, totally ordered, no arithmetic of its own.
template <class Tag, class Rep>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

 private:
  Rep value_{};
};

/// Position of a record in its partition, counted from 0. As an end it is one past the last record.
class Offset : public Id<struct OffsetTag, std::int64_t> {
 public:
  using Id::Id;
  [[nodiscard]] constexpr Offset next() const { return Offset{value() + 1}; }
  [[nodiscard]] constexpr Offset plus(std::int64_t records) const { return Offset{value() + records}; }
  friend constexpr std::int64_t operator-(Offset end, Offset begin) { return end.value() - begin.value(); }  // records
};

using PartitionId = Id<struct PartitionTag, std::int32_t>;
using LeaderEpoch = Id<struct LeaderEpochTag, std::int32_t>;  // -1: none (Kafka's "no partition leader epoch")
using ProducerId = Id<struct ProducerTag, std::int64_t>;      // -1: a batch without idempotent producer

inline constexpr LeaderEpoch kNoEpoch{-1};
inline constexpr ProducerId kNoProducer{-1};

/// Wall-clock time as Kafka stores it: milliseconds since 1970-01-01 UTC. Never used in a fence.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// Monotonic time; only differences and deadlines have a meaning.
using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// 128-bit identity of a topic: survives a rename, differs after delete and re-create.
struct TopicId {
  std::array<std::uint8_t, 16> bytes{};
  friend constexpr auto operator<=>(const TopicId&, const TopicId&) = default;
};

/// URL-safe base64 without padding, 22 characters: the text form of Kafka's `Uuid`.
std::string to_string(const TopicId& id);

/// A topic's name and one of its partitions.
struct TopicPartition {
  std::string topic;
  PartitionId partition;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// `topic-partition`, as in directory names and log lines.
std::string to_string(const TopicPartition& tp);

/// A stored reading position in our own logs. Valid while the end offset of `epoch` is at least `offset`;
/// otherwise the log was cut behind the reader's back (Errc::position_diverged).
struct Position {
  TopicId topic;
  PartitionId partition;
  Offset offset;                 // next offset to read
  LeaderEpoch epoch = kNoEpoch;  // of the last batch consumed; kNoEpoch while nothing was consumed
  friend auto operator<=>(const Position&, const Position&) = default;
};

}  // namespace lungo

template <class Tag, class Rep>
struct std::hash<lungo::Id<Tag, Rep>> {
  std::size_t operator()(const lungo::Id<Tag, Rep>& id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
template <>
struct std::hash<lungo::Offset> {
  std::size_t operator()(const lungo::Offset& offset) const noexcept { return std::hash<std::int64_t>{}(offset.value()); }
};
template <>
struct std::hash<lungo::TopicPartition> {
  std::size_t operator()(const lungo::TopicPartition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + std::hash<std::int32_t>{}(tp.partition.value());
  }
};
