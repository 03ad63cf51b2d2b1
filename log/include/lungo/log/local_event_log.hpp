// The embedded home: an EventLog over a data directory in this process.
//
// Threads: appends to one partition are serialised by its mutex; flusher activities sync what nobody waits for. Readers
// take no lock while they read.
#pragma once

#include <memory>
#include <string>

#include <lungo/log/event_log.hpp>

namespace lungo {

struct LocalOptions {
  /// Ports to run on; must outlive the log. Null: the real ones, owned by the log.
  const Ports* ports = nullptr;
  /// Open without the writer's lock, beside a live writer or on a stopped directory; follows the tail page.
  /// Appending and creating topics answer `unsupported`.
  bool read_only = false;
  /// Bytes of records per partition that are appended and not completed yet, above which append answers `busy` (retriable):
  /// what holds memory while a sync takes its time. One append alone is never too much for it.
  std::size_t queued_bytes_max = 64u << 20;
};

/// Opens or creates the data directory, recovering what a crash left behind.
/// Errors: locked, naming the holder; newer_format; corrupt (damage that is not a torn tail: file and position); no_space; io.
Result<std::shared_ptr<EventLog>> open_local(const std::string& directory, LocalOptions options = {});

}  // namespace lungo
