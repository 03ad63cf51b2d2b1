// Expected failures as values: `Errc`, `Error`, `Result<T>`.
//
// For every folder. I/O errors, corruption, conflicts and time-outs are returned; our own bugs throw `invariant_broken`
// (check.hpp); an application that prefers exceptions calls `.value()`, which throws `lungo::Exception`.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <lungo/log/types.hpp>

namespace lungo {

/// What went wrong. The numbers are fixed: they are stored in parked records and metrics. `is_retriable` says which may pass
/// when tried again.
enum class Errc : std::int32_t {
  invalid_argument = 1,      // the call's arguments make no sense; the text says which
  io = 2,                    // the operating system refused; the text has its words
  no_space = 3,              // retriable: the disk or the quota is full; reads go on
  corrupt = 4,               // bytes on disk fail their checks; the text names file and byte position
  newer_format = 5,          // written by a newer major version of Lungo
  locked = 6,                // retriable: another process holds the directory or store; the text names it
  not_found = 7,             // no such topic, partition, projection, file
  already_exists = 8,        // exists with other settings
  conflict = 9,              // a condition did not hold; Error::offset() is the record in the way
  history_trimmed = 10,      // the log no longer holds the range that was asked for
  offset_out_of_range = 11,  // a read below the log's start or above its end
  position_diverged = 12,    // a stored position points into history that was cut off: rebuild
  rejected = 13,             // a decider refused the command; the text is its reason
  timed_out = 14,            // retriable: the deadline passed; the text names what lagged
  closed = 15,               // the object was closed
  partition_failed = 16,     // a sync failed earlier: writes are refused until the log is reopened
  unknown_shape = 17,        // a record names a shape that `__lungo_shapes` does not hold
  incompatible_shape = 18,   // writer's and reader's shapes do not match; both are in the text
  undecodable = 19,          // a payload ends early, has bytes left over, or a length that can't be
  unknown_event = 20,        // a decider met an event type that its Events lack
  not_owner = 21,            // the partition is owned by another process; the text names its endpoint
  too_large = 22,            // record, batch or value above its limit
  unsupported = 23,          // this home or this file can't do that
  busy = 24,                 // retriable: a bounded queue is full
  handler_failed = 25,       // an application's evolve, key or react threw; the text is what it said
  canceled = 26,             // stopped before it was done
  out_of_sequence = 27,      // a producer's batch does not follow the last one of its that is known
  producer_fenced = 28,      // a later instance of the producer has appended
};

/// Name of the code as in the enumeration, e.g. "conflict".
std::string_view to_string(Errc code);

/// True for the codes whose cause may pass without anyone's help.
bool is_retriable(Errc code);

/// A code, a sentence of context and, where it applies, the offset it is about. Cheap to copy.
class Error {
 public:
  Error() = default;  // of no use; Boost's error() of a result with a value is written in terms of it
  Error(Errc code, std::string text);
  Error(Errc code, std::string text, Offset offset);

  [[nodiscard]] Errc code() const { return code_; }
  [[nodiscard]] std::string_view text() const { return text_ ? std::string_view{*text_} : std::string_view{}; }
  [[nodiscard]] std::optional<Offset> offset() const { return offset_; }
  /// The same error with `context: ` in front of its text. Added once, where the context is known.
  [[nodiscard]] Error with_context(std::string_view context) const;

  friend bool operator==(const Error& error, Errc code) { return error.code_ == code; }

 private:
  Errc code_{};
  std::optional<Offset> offset_;
  std::shared_ptr<const std::string> text_;
};

/// "conflict: stream visit-42 has a record at offset 17"
std::string to_string(const Error& error);
std::ostream& operator<<(std::ostream& out, const Error& error);

/// What `.value()` throws when there is no value.
class Exception : public std::runtime_error {
 public:
  explicit Exception(Error error);
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

// Found by argument-dependent lookup from boost::system::result::value().
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

/// A value or an `Error`. Test it, then use `*result` or `result.error()`; or call `.value()`, which throws `Exception`.
template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

template <>
class [[nodiscard]] Result<void> : public boost::system::result<void, Error> {
 public:
  using boost::system::result<void, Error>::result;
};

}  // namespace lungo
