// Uses the log alone: appends a record and reads it back. usage: uses_log DIRECTORY
#include <cstdlib>

#include <lungo/log/local_event_log.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  const auto log = lungo::open_local(argv[1]).value();
  lungo::TopicSpec spec;
  spec.name = "greetings";
  spec.partitions = 1;
  static_cast<void>(log->create_topic(spec).value());

  lungo::AppendRequest request{.to = {"greetings", lungo::PartitionId{0}}};
  request.records.add({.timestamp = log->ports().clock.now(), .value = lungo::as_bytes("hello")}).value();
  const lungo::Appended appended = lungo::append_wait(*log, std::move(request)).value();

  const lungo::Fetched fetched = log->read({"greetings", lungo::PartitionId{0}}, appended.first, 4096).value();
  lungo::RecordCursor records = fetched.records();
  const lungo::RecordView* record = records.next();
  return record != nullptr && lungo::as_text(record->value) == "hello" ? EXIT_SUCCESS : EXIT_FAILURE;
}
