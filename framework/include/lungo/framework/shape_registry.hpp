// The shapes of all events of a log: topic `__lungo_shapes`, one partition, compacted.
//
// For EventStore, EventDecoder and every generic tool. A row is key = 16-byte shape hash, value = the shape's canonical bytes;
// it never changes or dies, and writing it twice is harmless. The topic is shared by all applications on a log.
// Promise: a shape that publish() returned Ok for is committed, so an event appended after it can always be read.
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include <lungo/framework/shape.hpp>
#include <lungo/log/event_log.hpp>
#include <lungo/log/result.hpp>

namespace lungo {

inline constexpr std::string_view kShapesTopic = "__lungo_shapes";

class ShapeRegistry {
 public:
  /// Does no I/O before the first call.
  explicit ShapeRegistry(std::shared_ptr<EventLog> log);

  /// Writes those that the topic lacks and waits until they are committed. Errors: unsupported on a log opened read-only;
  /// timed_out; as EventLog::append().
  Result<void> publish(std::span<const Shape* const> shapes);

  /// Reads the rest of the topic once when the hash is not known yet. Errors: unknown_shape; undecodable when the hash's own
  /// row can't be used, which is logged once; as EventLog::read().
  Result<std::shared_ptr<const Shape>> find(const ShapeHash& hash);

 private:
  struct HashOfHash {
    std::size_t operator()(const ShapeHash& hash) const noexcept;
  };

  /// Each once.
  std::vector<const Shape*> unknown_of(std::span<const Shape* const> shapes);
  Result<void> read_to_end_locked();
  void take_row_locked(const RecordView& record);

  const std::shared_ptr<EventLog> log_;
  std::mutex mutex_;
  Offset next_{0};
  std::unordered_map<ShapeHash, std::shared_ptr<const Shape>, HashOfHash> shapes_;
  std::unordered_map<ShapeHash, Error, HashOfHash> bad_;  // rows under this hash that can't be used
};

}  // namespace lungo
