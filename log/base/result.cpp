#include <lungo/log/result.hpp>

#include <lungo/log/check.hpp>

namespace lungo {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::io:
      return "io";
    case Errc::no_space:
      return "no_space";
    case Errc::corrupt:
      return "corrupt";
    case Errc::newer_format:
      return "newer_format";
    case Errc::locked:
      return "locked";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::conflict:
      return "conflict";
    case Errc::history_trimmed:
      return "history_trimmed";
    case Errc::offset_out_of_range:
      return "offset_out_of_range";
    case Errc::position_diverged:
      return "position_diverged";
    case Errc::rejected:
      return "rejected";
    case Errc::timed_out:
      return "timed_out";
    case Errc::closed:
      return "closed";
    case Errc::partition_failed:
      return "partition_failed";
    case Errc::unknown_shape:
      return "unknown_shape";
    case Errc::incompatible_shape:
      return "incompatible_shape";
    case Errc::undecodable:
      return "undecodable";
    case Errc::unknown_event:
      return "unknown_event";
    case Errc::not_owner:
      return "not_owner";
    case Errc::too_large:
      return "too_large";
    case Errc::unsupported:
      return "unsupported";
    case Errc::busy:
      return "busy";
    case Errc::handler_failed:
      return "handler_failed";
    case Errc::canceled:
      return "canceled";
    case Errc::out_of_sequence:
      return "out_of_sequence";
    case Errc::producer_fenced:
      return "producer_fenced";
  }
  return "unknown";
}

bool is_retriable(Errc code) {
  return code == Errc::no_space || code == Errc::locked || code == Errc::timed_out || code == Errc::busy;
}

Error::Error(Errc code, std::string text) : code_(code), text_(std::make_shared<const std::string>(std::move(text))) {}

Error::Error(Errc code, std::string text, Offset offset) : Error(code, std::move(text)) { offset_ = offset; }

Error Error::with_context(std::string_view context) const {
  Error error = *this;
  error.text_ = std::make_shared<const std::string>(std::string(context) + ": " + std::string(text()));
  return error;
}

std::string to_string(const Error& error) { return std::string(to_string(error.code())) + ": " + std::string(error.text()); }

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << to_string(error); }

Exception::Exception(Error error) : std::runtime_error(to_string(error)), error_(std::move(error)) {}

void throw_exception_from_error(const Error& error, const boost::source_location&) { throw Exception(error); }

std::string current_exception_text() {
  try {
    throw;
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

void fail_check(const char* what, std::source_location where) {
  throw invariant_broken(std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": " + what);
}

}  // namespace lungo
