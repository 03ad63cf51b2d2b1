// A writer that never pauses, for the tests in which a foreign reader opens the files it writes.
//
// usage: peers_appender DIRECTORY append [CODEC]    appends to every partition in turn until its input ends, then stops cleanly
//        peers_appender DIRECTORY open [CODEC]      opens the directory, which recovers it, and stops
//        peers_appender DIRECTORY compact [CODEC]   appends a few thousand values and tombstones of a few keys, and stops when
//                                                   they are compacted
//        peers_appender DIRECTORY produce [CODEC]   appends to partition 0 the batches that its input has, a line of hex digits
//        each
//
// Prints "committed PARTITION END" after each acknowledged append and "end PARTITION END" before it stops. The topic is `live`
// and has small segments, so that a few seconds see many of them.
#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>

#include <lungo/log/appender.hpp>
#include <lungo/log/local_event_log.hpp>

namespace {

constexpr std::int32_t kPartitions = 2;

lungo::TopicSpec live_topic(std::string_view codec) {
  lungo::TopicSpec spec;
  spec.name = "live";
  spec.partitions = kPartitions;
  spec.streams = true;
  spec.segment_bytes = 256u << 10;
  spec.compression = lungo::parse_compression(codec).value();
  return spec;
}

bool input_ended() {
  pollfd input{.fd = 0, .events = POLLIN, .revents = 0};
  return poll(&input, 1, 0) > 0;
}

/// A key that belongs to the partition, as leaders of a stream topic check it.
std::string key_for(lungo::PartitionId partition, std::uint64_t number) {
  std::string key;
  do {
    key = "stream-" + std::to_string(number++);
  } while (lungo::partition_of_key(key, kPartitions) != partition);
  return key;
}

void append_some(lungo::EventLog& log, lungo::PartitionId partition, std::mt19937_64& random) {
  lungo::AppendRequest request{.to = {"live", partition}};
  const std::string value(random() % 2000, 'v');
  const std::string key = key_for(partition, random() % 1000);
  for (std::uint64_t left = 1 + random() % 20; left > 0; --left) {
    const lungo::HeaderView header{.name = "l.t", .value = lungo::as_bytes("Appended")};
    const lungo::RecordFields fields{.timestamp = log.ports().clock.now(),
                                     .key = lungo::as_bytes(key),
                                     .value = lungo::as_bytes(value),
                                     .headers = {&header, 1}};
    request.records.add(fields).value();
  }
  const lungo::Appended appended = lungo::append_wait(log, std::move(request)).value();
  std::printf("committed %d %lld\n", partition.value(), static_cast<long long>(appended.end.value()));
  std::fflush(stdout);
}

lungo::TopicSpec compacted_topic(std::string_view codec) {
  lungo::TopicSpec spec = live_topic(codec);
  spec.streams = false;
  spec.compact = true;
  spec.segment_bytes = 32u << 10;
  spec.dirty_ratio_min = 0;
  return spec;
}

void append_state(lungo::EventLog& log) {
  std::mt19937_64 random{20240229};
  for (int i = 0; i < 3000; ++i) {
    const lungo::PartitionId partition{i % kPartitions};
    lungo::AppendRequest request{.to = {"live", partition}};
    for (std::uint64_t left = 1 + random() % 5; left > 0; --left) {
      const std::string key = "key-" + std::to_string(random() % 100);
      const std::string value(random() % 500, static_cast<char>('a' + random() % 26));
      lungo::RecordFields fields{.timestamp = log.ports().clock.now(), .key = lungo::as_bytes(key), .value = {}, .headers = {}};
      if (random() % 5 != 0) fields.value = lungo::as_bytes(value);
      request.records.add(fields).value();
    }
    static_cast<void>(lungo::append_wait(log, std::move(request)).value());
  }
}

/// Until most of every partition has been compacted; a minute at most.
void wait_for_compaction(lungo::EventLog& log, const std::string& directory) {
  for (int tries = 0; tries < 6000; ++tries) {
    std::ifstream file(directory + "/cleaner-offset-checkpoint");
    std::string version_and_count, topic;
    int done = 0;
    std::int32_t partition = 0;
    std::int64_t end = 0;
    file >> version_and_count >> version_and_count;
    while (file >> topic >> partition >> end) {
      done += end > log.ends({topic, lungo::PartitionId{partition}}).value().committed.value() / 2 ? 1 : 0;
    }
    if (done == kPartitions) return;
    poll(nullptr, 0, 10);
  }
  throw std::runtime_error("not all was compacted");
}

void produce(lungo::EventLog& log) {
  const lungo::TopicPartition to{"live", lungo::PartitionId{0}};
  const std::shared_ptr<lungo::Appender> appender = log.appender(to).value();
  for (std::string line; std::getline(std::cin, line);) {
    lungo::Bytes batch;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2) {
      batch.push_back(static_cast<std::byte>(std::stoi(line.substr(i, 2), nullptr, 16)));
    }
    const lungo::Appended appended = appender->append_batch(batch).value();
    std::printf("%s 0 %lld\n", appended.repeated ? "repeated" : "committed", static_cast<long long>(appended.end.value()));
  }
}

void print_ends(lungo::EventLog& log) {
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const lungo::Ends ends = log.ends({"live", lungo::PartitionId{partition}}).value();
    std::printf("end %d %lld\n", partition, static_cast<long long>(ends.committed.value()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: %s DIRECTORY append|open|compact|produce [CODEC]\n", argv[0]);
    return EXIT_FAILURE;
  }
  try {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("appender"));
    const std::shared_ptr<lungo::EventLog> log = lungo::open_local(argv[1]).value();
    const std::string_view codec = argc == 4 ? argv[3] : "none";
    const bool compacts = std::string_view{argv[2]} == "compact";
    static_cast<void>(log->create_topic(compacts ? compacted_topic(codec) : live_topic(codec)).value());
    if (compacts) {
      append_state(*log);
      wait_for_compaction(*log, argv[1]);
    }
    std::mt19937_64 random{20240229};  // sizes only; the test reads what was acknowledged
    if (std::string_view{argv[2]} == "append") {
      while (!input_ended()) {
        for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
          append_some(*log, lungo::PartitionId{partition}, random);
        }
      }
    }
    if (std::string_view{argv[2]} == "produce") produce(*log);
    print_ends(*log);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
