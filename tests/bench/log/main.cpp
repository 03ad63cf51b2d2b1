// lungo-bench-log: runs one case in an empty directory and prints a JSON line for each of its figures.
//
// usage: lungo-bench-log CASE DIRECTORY
#include <lungo/log/log_text.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string_view>

#include "cases.hpp"

namespace {

using namespace lungo::bench;

struct Case {
  std::string_view name;
  void (*run)(const std::string& directory);
};

constexpr Case kCases[] = {
    {"append_500", append_500},
    {"append_one_waiting", append_one_waiting},
    {"append_one_async", append_one_async},
    {"append_1_kib", append_1_kib},
    {"synced_latency", synced_latency},
    {"synced_one", synced_one},
    {"synced_500", synced_500},
    {"synced_64_threads", synced_64_threads},
    {"synced_64_outstanding", synced_64_outstanding},
    {"scan", scan},
    {"recovery", recovery},
    {"partitions", partitions},
    {"paced", paced},
    {"roll", roll},
    {"streams", streams},
};

}  // namespace

int main(int argc, char** argv) {
  const Case* wanted = argc == 3 ? std::ranges::find(kCases, std::string_view{argv[1]}, &Case::name) : std::end(kCases);
  if (wanted == std::end(kCases)) {
    std::fprintf(stderr, "usage: %s CASE DIRECTORY, with one of these cases:\n", argv[0]);
    for (const Case& known : kCases) std::fprintf(stderr, "  %s\n", std::string(known.name).c_str());
    return EXIT_FAILURE;
  }
  try {
    lungo::log_to_stderr(lungo::Severity::warn);
    wanted->run(argv[2]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s: %s\n", argv[0], argv[1], error.what());
    return EXIT_FAILURE;
  }
}
