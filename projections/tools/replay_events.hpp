// What `lungo replay events` prints: the events of a stream, or of a whole topic, decoded through their shapes. Needs the log
// only, no store and no application code. Threads: one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <lungo/framework/event_store.hpp>

#include "printed_cells.hpp"

namespace lungo {

struct EventsOptions {
  std::optional<std::string> stream;  // absent: all of `topic`, partition after partition
  std::optional<std::string> topic;   // absent: whichever stream topics have the stream
  std::uint64_t limit = UINT64_MAX;
};

/// Prints until the end, the limit, or until `out` takes no more. An event that can't be decoded is printed with the reason and
/// its bytes.
/// Errors: not_found (topic, stream); invalid_argument for neither; corrupt, io, unknown_shape.
Result<void> print_events(const std::shared_ptr<EventLog>& log, const EventsOptions& options, bool json, Output& out);

}  // namespace lungo
