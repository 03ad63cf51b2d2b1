// A seeded generator of realistic access logs, for tests and benchmarks of any size.
//
// Visitors come in sessions: a page, the assets it pulls, the next page some seconds later, with the page before as referrer.
// URLs follow a Zipf law. A share of the lines are bots; a share is broken in one of the ways that real logs are broken; some
// valid lines are odd (IPv6, user names, escaped quotes, no request, bytes of a TLS handshake, the common format, a cut end).
// The second within the minute is random, so the time goes back in about half of the lines, by up to 59 s, as the logs of
// buffered servers do. The same options give the same bytes.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace lungo::test {

struct AccessLogOptions {
  std::uint64_t lines = 100'000;
  std::uint64_t seed = 1;
  std::uint32_t days = 3;
  std::uint32_t visitors = 10'000;
  std::uint32_t urls = 5'000;
  double zipf = 1.0;                // exponent of the URLs' popularity
  double bots_percent = 15;         // of the lines
  double broken_percent = 1;        // of the lines
  std::int64_t first_day = 19'783;  // days since 1970-01-01; 2024-03-01
};

/// What was generated so far, as the generator knows it; tests of the generator itself use it.
struct AccessLogCounts {
  std::uint64_t lines = 0;
  std::uint64_t bots = 0;
  std::uint64_t broken = 0;
  std::uint64_t odd = 0;
};

class AccessLogGenerator {
 public:
  explicit AccessLogGenerator(const AccessLogOptions& options);
  ~AccessLogGenerator();
  AccessLogGenerator(const AccessLogGenerator&) = delete;
  AccessLogGenerator& operator=(const AccessLogGenerator&) = delete;

  /// Appends the next line with its '\n' to `out`; false, with nothing appended, when all lines were given.
  bool next(std::string& out);
  [[nodiscard]] const AccessLogCounts& counts() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// The whole log as one string.
std::string generate_access_log(const AccessLogOptions& options);

}  // namespace lungo::test
