// Connects to a broker that is not there, and expects to be told so. usage: uses_kafka DIRECTORY
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <lungo/cluster/kafka.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  const auto log = lungo::connect_kafka("127.0.0.1:1", "shop",
                                        {.directory = argv[1], .read_only = true, .connect_timeout = std::chrono::seconds{5}});
  if (log) return EXIT_FAILURE;
  std::cout << log.error() << '\n';
  return log.error().text().find("no broker answers at 127.0.0.1:1") != std::string_view::npos ? EXIT_SUCCESS : EXIT_FAILURE;
}
