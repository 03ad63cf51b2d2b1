// DIR/tracker-funnel: the funnel's steps outlive a run, since they say what the rows of the Funnel projection mean.
//
//   file = "tracker-funnel 1\n" steps "\n"        steps: as --funnel was given them, e.g. "/,/shop*,/checkout"
//
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>

#include <lungo/log/storage.hpp>

namespace tracker {

/// The steps that were saved in the data directory; nothing when none were. Errors: newer_format, naming the version; corrupt;
/// io.
lungo::Result<std::optional<std::string>> load_funnel(lungo::Storage& storage, const std::string& data);
/// Replaces them, durably. Errors: no_space, io.
lungo::Result<void> save_funnel(lungo::Storage& storage, const std::string& data, const std::string& steps);

}  // namespace tracker
