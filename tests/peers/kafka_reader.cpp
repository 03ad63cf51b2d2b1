// Reads a data directory that Apache Kafka wrote, for kafka_directory_test.py.
//
// usage: peers_kafka_reader DIRECTORY [adopt] [append]
//
// `adopt` makes the directory Lungo's, `append` adds a record to each partition. Then every record of every partition is
// printed, after "TOPIC-PARTITION " in the words of kafka-dump-log. Last "start TOPIC-PARTITION START END" for each.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <lungo/log/local_event_log.hpp>
#include "tests/support/kafka_dump_line.hpp"

namespace {

constexpr std::size_t kReadBytes = 64u << 10;

void print(lungo::EventLog& log, const lungo::TopicPartition& partition) {
  const lungo::Ends ends = log.ends(partition).value();
  const std::string name = to_string(partition);
  for (lungo::Offset at = ends.start; at < ends.committed;) {
    const lungo::Fetched fetched = log.read(partition, at, kReadBytes).value();
    lungo::RecordCursor records = fetched.records();
    while (const lungo::RecordView* record = records.next())
      std::printf("%s %s\n", name.c_str(), lungo::test::kafka_dump_line(*record).c_str());
    if (records.error()) throw lungo::Exception(*records.error());
    at = fetched.next().offset;
  }
  std::printf("start %s %lld %lld\n", name.c_str(), static_cast<long long>(ends.start.value()),
              static_cast<long long>(ends.committed.value()));
}

void append(lungo::EventLog& log, const lungo::TopicPartition& partition) {
  lungo::AppendRequest request{.to = partition};
  request.records.add({.timestamp = log.ports().clock.now(), .value = lungo::as_bytes("appended by Lungo")}).value();
  static_cast<void>(lungo::append_wait(log, std::move(request)).value());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY [adopt] [append]\n", argv[0]);
    return EXIT_FAILURE;
  }
  try {
    spdlog::set_default_logger(spdlog::stderr_logger_mt("reader"));
    const std::string directory = argv[1];
    bool appends = false;
    for (int i = 2; i < argc; ++i) {
      if (std::string_view{argv[i]} == "adopt") static_cast<void>(lungo::adopt_kafka_directory(directory).value());
      if (std::string_view{argv[i]} == "append") appends = true;
    }
    const std::shared_ptr<lungo::EventLog> log = lungo::open_local(directory).value();
    for (const lungo::TopicInfo& topic : log->topics().value()) {
      for (std::int32_t i = 0; i < topic.spec.partitions; ++i) {
        const lungo::TopicPartition partition{topic.spec.name, lungo::PartitionId{i}};
        if (appends) append(*log, partition);
        print(*log, partition);
      }
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
