// A whole data directory of any bytes: opened for reading, adopted from Kafka where it says so, opened for writing, written to,
// and opened again.
//
//   input = flags:u8 section*        the sections' kinds name the files (kDirectoryFiles)
#include <lungo/log/local_event_log.hpp>

#include "tests/fuzz/directory_files.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/simulation.hpp"

namespace lungo::test {
namespace {

constexpr const char* kDirectory = "/data";

/// Reads everything there is; what can't be read is part of the answer.
Digest contents_of(EventLog& log) {
  Digest digest;
  const std::vector<TopicInfo> topics = log.topics().value();
  for (const TopicInfo& topic : topics) {
    digest.add(as_bytes(topic.spec.name));
    for (std::int32_t number = 0; number < std::min(topic.spec.partitions, 8); ++number) {
      const TopicPartition partition{topic.spec.name, PartitionId{number}};
      const Result<Ends> ends = log.ends(partition);
      if (!ends) continue;
      digest.add(static_cast<std::uint64_t>(ends->start.value()));
      digest.add(static_cast<std::uint64_t>(ends->committed.value()));
      for (Offset from = ends->start; from < ends->committed;) {
        const Result<Fetched> fetched = log.read(partition, from, 4000);
        digest.add(fetched ? 1u : 2u);
        if (!fetched || fetched->empty()) break;
        RecordCursor records = fetched->records();
        while (const RecordView* record = records.next()) add_record(digest, *record);
        require(fetched->next().offset > from, "reading goes on");
        from = fetched->next().offset;
      }
    }
  }
  return digest;
}

class Machine {
 public:
  explicit Machine(BytesView input) : machine_(1), ports_(machine_.ports()) {
    FuzzInput fields{input};
    const bool mends = fields.byte() % 2 == 1;
    machine_.disk.make_directories(kDirectory).value();
    while (!fields.empty()) {
      FuzzInput::Section section = fields.section();
      const std::string_view name = kDirectoryFiles[section.kind % kDirectoryFiles.size()];
      if (mends && name.starts_with("lungo.")) mend_property_file(section.bytes);
      if (mends && name.ends_with(".log")) mend_batches(section.bytes);
      put_file(machine_.disk, std::string(kDirectory) + "/" + std::string(name), section.bytes);
    }
  }

  void look() {
    const std::size_t hash = machine_.disk.contents_hash();
    std::optional<Digest> beside;
    if (const Result<std::shared_ptr<EventLog>> reader = open(true)) beside = contents_of(**reader);
    require(machine_.disk.contents_hash() == hash, "who reads changes nothing");
    if (const auto adopted = adopt_kafka_directory(kDirectory, &ports_)) require(!adopted->empty(), "topics are adopted");
    Result<std::shared_ptr<EventLog>> log = open(false);
    if (!log) {
      require(log.error().code() != Errc::io && log.error().code() != Errc::locked, "the disk has not failed");
      return;
    }
    write(**log);
    const Digest written = contents_of(**log);
    log->reset();
    log = open(false);
    require(log.has_value(), "what was closed opens");
    require(contents_of(**log) == written, "and holds the same");
  }

 private:
  Result<std::shared_ptr<EventLog>> open(bool read_only) {
    LocalOptions options;
    options.ports = &ports_;
    options.read_only = read_only;
    return open_local(kDirectory, options);
  }

  /// A topic of our own, whatever else there is.
  static void write(EventLog& log) {
    TopicSpec spec;
    spec.name = "fresh";
    spec.partitions = 1;
    if (const Result<TopicInfo> made = log.create_topic(spec); !made) {
      require(made.error().code() != Errc::io, "the disk has not failed");
      return;
    }
    AppendRequest request;
    request.to = {"fresh", PartitionId{0}};
    request.records.add({.timestamp = {}, .key = {}, .value = as_bytes("value"), .headers = {}}).value();
    require(append_wait(log, std::move(request)).has_value(), "a new topic takes appends");
  }

  Simulation machine_;
  const Ports ports_;
};

}  // namespace

void fuzz_directory(BytesView input) { Machine{input}.look(); }

}  // namespace lungo::test
