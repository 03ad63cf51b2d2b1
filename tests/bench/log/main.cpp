// lungo-bench-log: one contestant, one durability, one size of append; prints one JSON object of rates.
//
// usage: lungo-bench-log lungo|sqlite|rocksdb synced|written APPENDS RECORDS_PER_APPEND RECORD_BYTES DIRECTORY
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "store.hpp"

namespace {

using namespace lungo::bench;

std::unique_ptr<Store> open_store(std::string_view name, const std::string& directory, Durability durability) {
  if (name == "lungo") return lungo_store(directory, durability);
  if (name == "sqlite") return sqlite_store(directory, durability);
  if (name == "rocksdb") return rocksdb_store(directory, durability);
  throw std::runtime_error("no store is called " + std::string(name));
}

template <class Work>
double seconds_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void run(char** argv) {
  const Durability durability = std::string_view{argv[2]} == "synced" ? Durability::synced : Durability::written;
  const std::size_t appends = std::stoul(argv[3]);
  const std::size_t count = std::stoul(argv[4]);
  const std::string value(std::stoul(argv[5]), 'v');
  const std::unique_ptr<Store> store = open_store(argv[1], argv[6], durability);

  const double append_seconds = seconds_of([&] {
    for (std::size_t i = 0; i < appends; ++i) store->append(value, count);
  });
  std::uint64_t bytes = 0;
  const double scan_seconds = seconds_of([&] { bytes = store->scan(); });
  if (bytes != appends * count * value.size()) throw std::runtime_error("the scan did not read what was appended");

  const auto records = static_cast<double>(appends * count);
  std::printf("{\"append\": %.0f, \"scan\": %.0f}\n", records / append_seconds, records / scan_seconds);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s lungo|sqlite|rocksdb synced|written APPENDS RECORDS_PER_APPEND RECORD_BYTES DIRECTORY\n",
                 argv[0]);
    return EXIT_FAILURE;
  }
  try {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("bench"));
    run(argv);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return EXIT_FAILURE;
  }
}
