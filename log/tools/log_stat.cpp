#include "log_stat.hpp"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

namespace lungo {
namespace {

struct Stat {
  FileSizes sizes;
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int64_t offsets = 0;
  std::optional<Timestamp> oldest;
  std::optional<Timestamp> newest;
};

/// Times of the first and the last record: what retention by age goes by. Nothing where they can't be read.
void find_times(EventLog& log, const TopicPartition& partition, const Ends& ends, Stat& stat) {
  for (Offset from = ends.start; from < ends.committed && !stat.oldest;) {  // batches may have lost all records to compaction
    const Result<Fetched> first = log.read(partition, from, 1);
    if (!first) break;
    RecordCursor cursor = first->records();
    if (const RecordView* record = cursor.next()) stat.oldest = record->timestamp;
    if (first->next().offset <= from) break;
    from = first->next().offset;
  }
  if (const Result<Fetched> last = log.read_back(partition, ends.committed, 1); last) {
    RecordCursor cursor = last->records();
    while (const RecordView* record = cursor.next())
      stat.newest = std::max(stat.newest.value_or(record->timestamp), record->timestamp);
  }
}

Result<Stat> stat_of(EventLog& log, const TopicPartition& partition) {
  const Result<Ends> ends = log.ends(partition);
  if (!ends) return ends.error();
  Stat stat{.sizes = sizes_in(*log.directory() + "/" + to_string(partition)),
            .start = ends->start.value(),
            .end = ends->committed.value(),
            .offsets = ends->committed - ends->start};
  if (stat.offsets > 0) find_times(log, partition, *ends, stat);
  return stat;
}

/// Of each partition. Errors: not_found, when the topic is gone.
Result<std::vector<Stat>> stats_of(EventLog& log, const TopicSpec& topic) {
  std::vector<Stat> stats;
  for (std::int32_t number = 0; number < topic.partitions; ++number) {
    const Result<Stat> stat = stat_of(log, {topic.name, PartitionId{number}});
    if (!stat) return stat.error();
    stats.push_back(*stat);
  }
  return stats;
}

void add(Stat& sum, const Stat& one) {
  sum.sizes.segments += one.sizes.segments;
  sum.sizes.log_bytes += one.sizes.log_bytes;
  sum.sizes.index_bytes += one.sizes.index_bytes;
  sum.sizes.stream_bytes += one.sizes.stream_bytes;
  sum.sizes.other_bytes += one.sizes.other_bytes;
  sum.offsets += one.offsets;
  if (one.oldest) sum.oldest = std::min(sum.oldest.value_or(*one.oldest), *one.oldest);
  if (one.newest) sum.newest = std::max(sum.newest.value_or(*one.newest), *one.newest);
}

void add_size(PrintedLine& line, std::string_view name, std::uint64_t bytes) {
  line.add_json(name, std::to_string(bytes), size_text(bytes));
}

void add_time(PrintedLine& line, std::string_view name, const std::optional<Timestamp>& time) {
  if (time) {
    line.add(name, time_text(*time));
  } else {
    line.add_json(name, "null", "-");
  }
}

/// `partition` absent: the whole topic.
PrintedLine line_of(const TopicSpec& topic, std::optional<std::int32_t> partition, const Stat& stat) {
  PrintedLine line;
  line.add("topic", topic.name);
  const auto add_of_one = [&](std::string_view name, std::int64_t value, std::string_view of_all) {
    if (partition) return line.add(name, value);
    line.add_json(name, "null", of_all);
  };
  add_of_one("partition", partition.value_or(0), "all");
  add_of_one("start", stat.start, "-");
  add_of_one("end", stat.end, "-");
  line.add("offsets", stat.offsets);
  line.add("segments", static_cast<std::int64_t>(stat.sizes.segments));
  add_size(line, "log", stat.sizes.log_bytes);
  add_size(line, "indexes", stat.sizes.index_bytes);
  add_size(line, "streams", stat.sizes.stream_bytes);
  add_size(line, "other", stat.sizes.other_bytes);
  add_time(line, "oldest", stat.oldest);
  add_time(line, "newest", stat.newest);
  return line;
}

}  // namespace

FileSizes sizes_in(const std::string& directory) {
  FileSizes sizes;
  std::error_code problem;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(directory, problem)) {
    const std::uint64_t bytes = entry.file_size(problem);
    if (problem) continue;
    const std::string suffix = entry.path().extension();
    if (suffix == ".log") {
      ++sizes.segments;
      sizes.log_bytes += bytes;
    } else if (suffix == ".index" || suffix == ".timeindex") {
      sizes.index_bytes += bytes;
    } else if (suffix == ".streams") {
      sizes.stream_bytes += bytes;
    } else {
      sizes.other_bytes += bytes;
    }
  }
  return sizes;
}

void describe_stat(CLI::App& app, StatOptions& options) {
  CLI::App* stat = app.add_subcommand("stat", "Sizes, segments and offsets of topics and partitions");
  stat->add_option("TOPIC", options.topics, "Which; all when none is named");
  stat->footer(
      "Example: lungo log stat orders --dir data\n"
      "A line for each topic, whose partition is \"all\", then one for each of its partitions: offsets from start to before "
      "end,\n"
      "how many that is, segments (.log files), and what their files take: log, indexes (offsets and times), streams (stream\n"
      "indexes), other. oldest and newest are times of the first and of the last batch's records.\n"
      "--json: the same names; sizes in bytes, null instead of \"all\" and \"-\"");
}

Result<void> run_stat(const ToolOptions& tool, const StatOptions& options, Output& out) {
  Result<std::shared_ptr<EventLog>> log = open_to_read(tool.directory);
  if (!log) return log.error();
  return print_stat(**log, tool, options, out);
}

Result<void> print_stat(EventLog& log, const ToolOptions& tool, const StatOptions& options, Output& out) {
  Result<std::vector<TopicInfo>> topics = find_topics(log, options.topics);
  if (!topics) return topics.error();
  bool first = true;
  for (const TopicInfo& topic : *topics) {
    const Result<std::vector<Stat>> stats = stats_of(log, topic.spec);
    if (!stats && stats.error() == Errc::not_found && options.topics.empty()) continue;  // deleted meanwhile
    if (!stats) return stats.error();
    Stat sum;
    for (const Stat& stat : *stats) add(sum, stat);
    const PrintedLine whole = line_of(topic.spec, std::nullopt, sum);
    if (std::exchange(first, false) && !tool.json) whole.print_names(out);
    whole.print(out, tool.json);
    for (std::size_t number = 0; number < stats->size(); ++number)
      line_of(topic.spec, static_cast<std::int32_t>(number), (*stats)[number]).print(out, tool.json);
    if (!out.ok()) break;
  }
  if (first && !tool.json) out.line("no topics; `lungo log topics create NAME` makes one");
  return {};
}

}  // namespace lungo
