// Many streams: what the stream index takes in memory and on disk, and how soon a stream's last record is found.
//
// Half a million streams of four records each, which lie far apart, in four partitions; LUNGO_BENCH_STREAMS says how many
// instead. The goals are stated for ten million: 4.8 GB of records. Those of memory have to hold for fewer, too. That of 400 MB
// on disk is none of 40 bytes a stream: a stream takes an entry in each run that has a record of it, and how many runs lie
// unmerged side by side does not grow with the streams. Half a million lie in four runs of a partition and take 62 bytes each,
// ten million 30. No peer has streams: a log of theirs beside an index by key promises no condition and costs what a table with
// an index does.
#include <lungo/log/local_event_log.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "cases.hpp"
#include "files.hpp"
#include "harness.hpp"
#include "lungo_store.hpp"

namespace lungo::bench {
namespace {

constexpr std::int32_t kPartitions = 4;
constexpr std::int64_t kStreamsOfGoals = 10'000'000;
constexpr std::int64_t kRecordsPerStream = 4;
constexpr std::int64_t kBatch = 500;
constexpr int kLookUps = 2'000;

std::int64_t streams_wanted() {
  const char* const given = std::getenv("LUNGO_BENCH_STREAMS");
  return given != nullptr ? std::atoll(given) : 500'000;
}

std::string name_of(std::int64_t stream) { return "stream-" + std::to_string(stream); }
TopicPartition partition_of(std::int64_t stream) {
  return {"streams", PartitionId{static_cast<std::int32_t>(stream % kPartitions)}};
}

struct Files {
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Files&, const Files&) = default;
};

Files indexes_below(const std::string& directory) {
  Files files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    std::error_code gone;  // a run that was merged meanwhile
    if (entry.path().extension() != ".streams") continue;
    const std::uint64_t bytes = entry.file_size(gone);
    if (!gone) files = {files.count + 1, files.bytes + bytes};
  }
  return files;
}

void append_all(EventLog& log, std::int64_t streams) {
  for (std::int64_t round = 0; round < kRecordsPerStream; ++round) {
    for (std::int64_t first = 0; first < streams; first += kBatch * kPartitions) {
      for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
        AppendRequest request{.to = {"streams", PartitionId{partition}}, .records = {}, .condition = {}, .since = {}};
        const std::int64_t end = std::min(streams, first + kBatch * kPartitions);
        for (std::int64_t stream = first + partition; stream < end; stream += kPartitions) {
          const std::string key = name_of(stream);
          request.records.add({.timestamp = Timestamp{}, .key = as_bytes(key), .value = as_bytes("value of the event")})
              .value();
        }
        if (!request.records.empty()) static_cast<void>(append_wait(log, std::move(request)).value());
      }
    }
  }
}

// Until the housekeeper has nothing to do: its files stay as they are.
void settled(const std::string& directory) {
  Files before;
  for (Files now = indexes_below(directory); !(now == before); now = indexes_below(directory)) {
    before = now;
    std::this_thread::sleep_for(std::chrono::seconds{10});
  }
}

// By a condition that fails: the stream has a record.
double microseconds_a_head(EventLog& log, std::int64_t streams) {
  const double seconds = seconds_of([&] {
    for (std::int64_t i = 0; i < kLookUps; ++i) {
      const std::int64_t stream = (i * 2'654'435'761) % streams;
      AppendRequest request{.to = partition_of(stream), .records = {}, .condition = {}, .since = {}};
      request.records.add({.timestamp = Timestamp{}, .key = as_bytes("other"), .value = {}}).value();
      request.condition = Condition{.key = name_of(stream), .as_of = Offset{0}};
      if (append_wait(log, std::move(request)).has_value()) throw std::runtime_error("a stream was not found");
    }
  });
  return seconds / kLookUps * 1e6;
}

}  // namespace

void streams(const std::string& directory) {
  const std::int64_t streams = streams_wanted();
  const std::string data = directory + "/lungo";
  constexpr double kMegabyte = 1e6;
  const std::uint64_t before = resident_bytes();
  std::shared_ptr<EventLog> log = open_local(data).value();
  TopicSpec spec = topic_spec("streams", Durability::written, kPartitions);
  spec.streams = true;
  static_cast<void>(log->create_topic(spec).value());
  const double seconds = seconds_of([&] { append_all(*log, streams); });
  const std::uint64_t appended = resident_bytes();
  const double merging = seconds_of([&] { settled(data); });
  const double warm = microseconds_a_head(*log, streams);
  const std::uint64_t looked = resident_bytes();
  log.reset();
  const Files files = indexes_below(data);
  log = open_local(data).value();
  const double cold = microseconds_a_head(*log, streams);  // the first ones read the filters
  const auto megabytes = [&](std::uint64_t bytes) { return static_cast<double>(bytes - std::min(bytes, before)) / kMegabyte; };
  print("streams.number", "million", {{"lungo", static_cast<double>(streams) / 1e6}});
  print(streams < kStreamsOfGoals ? "streams.disk" : "streams.disk_of_10_million", "MB",
        {{"lungo", static_cast<double>(files.bytes) / kMegabyte}});
  print("streams.files", "files", {{"lungo", static_cast<double>(files.count)}});
  print("streams.resident_appended", "MB", {{"lungo", megabytes(appended)}});
  print("streams.resident_looked_up", "MB", {{"lungo", megabytes(looked)}});
  print("streams.resident_reopened", "MB", {{"lungo", megabytes(resident_bytes())}});
  print("streams.append", "records/s", {{"lungo", static_cast<double>(streams * kRecordsPerStream) / seconds}});
  print("streams.settled", "s", {{"lungo", merging}});
  print("streams.head", "us", {{"lungo", warm}, {"reopened", cold}});
}

}  // namespace lungo::bench
