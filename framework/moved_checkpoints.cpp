#include <lungo/framework/moved_checkpoints.hpp>

#include <algorithm>

#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/snapshots.hpp>

#include "process_checkpoint.hpp"

namespace lungo {

namespace {

/// A checkpoint of the source.
struct Moving {
  std::string key;
  ProcessCheckpointName name;
  Snapshot snapshot;  // without its state
  ProcessCheckpoint checkpoint;

  [[nodiscard]] TopicPartition output() const { return {checkpoint.output_topic, name.input.partition}; }
  /// What all ids begin with that it gives in this partition.
  [[nodiscard]] std::string id_prefix() const {
    return name.process + "/" + std::to_string(name.input.partition.value()) + "/";
  }
};

Error not_stopped(const Moving& moving, const TopicPartition& partition, Offset at, std::string_view what) {
  return Error{Errc::conflict,
               "process " + moving.name.process + " " + std::string(what) + " " + to_string(partition) + ", at offset " +
                   std::to_string(at.value()) +
                   ", behind its last checkpoint; start and stop the application once, so that its checkpoints hold all, and "
                   "copy again",
               at};
}

/// The first record in [from, end) that the process has written, or that it has not, by the ids.
Result<std::optional<Offset>> first_record(EventLog& log, const TopicPartition& partition, Offset from, Offset end,
                                           const std::string& id_prefix, bool is_own) {
  const Result<TopicInfo> topic = log.topic(partition.topic);
  if (!topic) return topic.error();
  PartitionReader reader{log, *topic, {topic->id, partition.partition, from, kNoEpoch}};
  while (reader.position().offset < end) {
    const Result<const Envelope*> next = reader.next();
    if (!next && next.error() == Errc::undecodable) continue;  // not its own: those have sound headers
    if (!next) return next.error();
    if (*next == nullptr || (*next)->offset >= end) break;
    if ((*next)->id.starts_with(id_prefix) == is_own) return std::optional{(*next)->offset};
  }
  return std::optional<Offset>{};
}

/// `input_end` and `output_end`: how far is looked.
Result<void> check_stopped(EventLog& from, const Moving& moving, Offset input_end, Offset output_end) {
  const Result<std::optional<Offset>> output =
      first_record(from, moving.output(), Offset{moving.checkpoint.output_end}, output_end, moving.id_prefix(), true);
  if (!output) return output.error();
  if (*output) return not_stopped(moving, moving.output(), **output, "has written to");
  // The commands that an input has led to are in any topic: so it must have none behind its checkpoint.
  if (!moving.checkpoint.sends_commands) return {};
  const Result<std::optional<Offset>> input =
      first_record(from, moving.name.input, moving.snapshot.position.offset, input_end, moving.id_prefix(), false);
  if (!input) return input.error();
  if (*input) return not_stopped(moving, moving.name.input, **input, "may have answered with commands what is in");
  return {};
}

Result<std::vector<Moving>> read_checkpoints(const std::shared_ptr<EventLog>& from, const std::set<std::string>& topics) {
  Snapshots snapshots{EventStore{from}};
  const Result<std::vector<std::string>> keys = snapshots.keys(kProcessCheckpoints);
  if (!keys) return keys.error();
  std::vector<Moving> all;
  for (const std::string& key : *keys) {
    std::optional<ProcessCheckpointName> name = parse_process_checkpoint_key(key);
    if (!name || !topics.contains(name->input.topic)) continue;
    Result<std::optional<Snapshot>> snapshot = snapshots.load(key);
    if (!snapshot) return snapshot.error();
    if (!*snapshot) continue;
    Result<ProcessCheckpoint> checkpoint = parse_process_checkpoint((*snapshot)->state);
    if (!checkpoint) return checkpoint.error().with_context(key);
    if (checkpoint->output_topic.empty()) {
      return Error{Errc::unsupported, "the checkpoint " + key +
                                          " was written by an earlier version and does not tell its outputs; start and stop "
                                          "the application once, and copy again"};
    }
    if (!topics.contains(checkpoint->output_topic)) continue;
    const Result<void> valid = from->validate(name->input.topic, (*snapshot)->position);
    if (!valid) return valid.error().with_context(key);
    (*snapshot)->state.clear();
    all.push_back({key, *std::move(name), **std::move(snapshot), *std::move(checkpoint)});
  }
  return all;
}

/// Where an offset is in the copy; nothing where its partition was not copied.
std::optional<Offset> moved(const CopyReport& copied, const TopicPartition& partition, Offset offset) {
  const auto marks = copied.marks.find(partition);
  if (marks == copied.marks.end()) return std::nullopt;
  const auto mark = marks->second.find(offset);
  return mark == marks->second.end() ? std::nullopt : std::optional{mark->second};
}

Result<void> move_one(EventLog& from_log, Moving moving, EventLog& to_log, Snapshots& to, const CopyReport& copied) {
  const TopicPartition& input = moving.name.input;
  const Offset from = moving.snapshot.position.offset;
  const std::optional<Offset> position = moved(copied, input, from);
  const std::optional<Offset> output_end = moved(copied, moving.output(), Offset{moving.checkpoint.output_end});
  if (!position || !output_end) return {};
  // What came while it was copied is in the copy, too.
  const Result<void> stopped = check_stopped(from_log, moving, copied.ends.at(input), copied.ends.at(moving.output()));
  if (!stopped) return stopped;
  const Result<TopicInfo> topic = to_log.topic(input.topic);
  if (!topic) return topic.error();
  moving.checkpoint.output_end = output_end->value();
  // The next input's ids lie at or above what the source would have given it.
  moving.checkpoint.id_shift = std::max<std::int64_t>(0, moving.checkpoint.id_shift + (from - *position));
  moving.snapshot.position = {topic->id, input.partition, *position, kNoEpoch};
  moving.snapshot.state = to_bytes(moving.checkpoint);
  return to.save_wait(moving.key, input, moving.snapshot);
}

}  // namespace

Result<MovedOffsets> move_checkpoints(const std::shared_ptr<EventLog>& from, const std::set<std::string>& topics) {
  Result<std::vector<Moving>> read = read_checkpoints(from, topics);
  if (!read) return read.error();
  MovedOffsets out;
  for (const Moving& moving : *read) {
    const Result<Ends> input = from->ends(moving.name.input);
    if (!input) return input.error();
    const Result<Ends> output = from->ends(moving.output());
    if (!output) return output.error();
    const Result<void> stopped = check_stopped(*from, moving, input->committed, output->committed);
    if (!stopped) return stopped.error();
    out.marks[moving.name.input].insert(moving.snapshot.position.offset);
    out.marks[moving.output()].insert(Offset{moving.checkpoint.output_end});
  }
  out.count = static_cast<std::int64_t>(read->size());
  out.finish = [from, all = *std::move(read)](const std::shared_ptr<EventLog>& to, const CopyReport& copied) -> Result<void> {
    if (all.empty()) return {};
    Snapshots snapshots{EventStore{to}};
    Result<void> done = snapshots.prepare();
    for (auto moving = all.begin(); done && moving != all.end(); ++moving) {
      done = move_one(*from, *moving, *to, snapshots, copied);
    }
    return done;
  };
  return out;
}

}  // namespace lungo
