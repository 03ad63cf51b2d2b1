#include "log_produce.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <bit>
#include <cerrno>
#include <new>
#include <system_error>

namespace lungo {
namespace {

constexpr std::size_t kBatchBytes = 256u << 10;
constexpr std::size_t kPendingBytesMax = 8u << 20;  // of all partitions
constexpr std::size_t kLineBytesMax = 128u << 20;   // a record of 64 MiB in base64, and more

/// What a user types for a character that a shell makes hard to type.
std::string separator_of(const std::string& text) {
  if (text == "\\t") return "\t";
  if (text == "\\0") return {1, '\0'};
  return text;
}

/// Takes lines and makes records of them.
class Intake {
 public:
  Intake(const ToolOptions& tool, const ProduceOptions& options, RecordWriter& writer, Clock& clock)
      : json_(tool.json), partition_(options.partition), writer_(writer), clock_(clock) {
    if (options.key_separator) separator_ = separator_of(*options.key_separator);
  }
  Result<void> read_headers(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      Result<NewRecord::Header> header = header_of(text);
      if (!header) return header.error();
      headers_.push_back(std::move(*header));
    }
    return {};
  }
  Result<void> take(std::string_view line) {
    ++line_;
    if (json_ && line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    Result<NewRecord> record = json_ ? record_of_json(line) : record_of_line(line, separator_);
    if (!record) return at_line(record.error());
    record->headers.insert(record->headers.end(), headers_.begin(), headers_.end());
    if (partition_) record->partition = partition_;
    Result<void> added = writer_.add(*record, clock_.now());
    const bool is_the_lines = !added && (added.error() == Errc::invalid_argument || added.error() == Errc::too_large);
    return is_the_lines ? at_line(added.error()) : added;
  }
  Result<void> take_all(LineSplitter& lines) {
    while (const std::optional<std::string_view> line = lines.next()) {
      if (Result<void> taken = take(*line); !taken) return taken;
    }
    if (lines.open_bytes() <= kLineBytesMax) return {};
    ++line_;
    return at_line(Error{Errc::too_large, "longer than 128 MiB"});
  }

 private:
  [[nodiscard]] Error at_line(const Error& error) const {
    const Errc code = error == Errc::invalid_argument ? Errc::undecodable : error.code();
    return Error{code, "line " + std::to_string(line_) + ": " + std::string(error.text())};
  }

  const bool json_;
  const std::optional<std::int32_t> partition_;
  std::optional<std::string> separator_;
  std::vector<NewRecord::Header> headers_;
  RecordWriter& writer_;
  Clock& clock_;
  std::uint64_t line_ = 0;
};

/// Until the input ends (0) or a signal comes (its number).
Result<int> read_input(Intake& intake, RecordWriter& writer, StopSignals& signals) {
  LineSplitter lines;
  std::vector<char> buffer(64u << 10);
  for (;;) {
    // Who types sees each line written; who pipes fills batches.
    if (signals.wait_for_input(STDIN_FILENO, Duration{0}) == StopSignals::Ready::no) {
      if (Result<void> flushed = writer.flush(); !flushed) return flushed.error();
    }
    const StopSignals::Ready ready = signals.wait_for_input(STDIN_FILENO, Duration::max());
    if (ready == StopSignals::Ready::stopped) return signals.received();
    if (ready != StopSignals::Ready::yes) continue;
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return Error{Errc::io, "standard input: " + std::generic_category().message(errno)};
    if (got == 0) break;
    lines.add({buffer.data(), static_cast<std::size_t>(got)});
    if (Result<void> taken = intake.take_all(lines); !taken) return taken.error();
  }
  if (const std::optional<std::string_view> last = lines.rest()) {
    if (Result<void> taken = intake.take(*last); !taken) return taken.error();
  }
  return 0;
}

/// So that it can still be said how much was written.
template <class Call>
auto or_out_of_memory(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Error{Errc::io, "out of memory"};
  }
}

Result<Durability> durability_of(const std::string& name) {
  if (name == "committed") return Durability::committed;
  if (name == "written") return Durability::written;
  if (name == "synced") return Durability::synced;
  return Error{Errc::invalid_argument, "--durability is committed, written or synced, not '" + name + "'"};
}

std::int32_t any_partition(const TopicSpec& topic, Randomness& random) {
  std::array<std::byte, 4> bytes;
  random.fill(bytes);
  return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(bytes) % static_cast<std::uint32_t>(topic.partitions));
}

void report(const std::string& topic, const RecordWriter& writer, bool json, Output& out) {
  if (!json) return out.line(counted(writer.written(), "record") + " written to " + topic);
  std::string ranges;
  for (const auto& [partition, range] : writer.ranges()) {
    ranges += ranges.empty() ? "" : ",";
    ranges += "{\"partition\":" + std::to_string(partition) + ",\"first\":" + std::to_string(range.first.value()) +
              ",\"end\":" + std::to_string(range.end.value()) + "}";
  }
  PrintedLine line;
  line.add("topic", topic);
  line.add("records", static_cast<std::int64_t>(writer.written()));
  line.add_json("partitions", "[" + ranges + "]");
  line.print(out, true);
}

}  // namespace

void describe_produce(CLI::App& app, ProduceOptions& options) {
  CLI::App* produce = app.add_subcommand("produce", "Append lines of standard input to a topic");
  produce->add_option("TOPIC", options.topic, "The topic")->required();
  produce->add_option("--key-separator", options.key_separator, "What stands before it is the key; \\t is a tab")
      ->type_name("TEXT");
  produce->add_option("--partition", options.partition, "All records go there")->type_name("N");
  produce->add_option("--header", options.headers, "A header of all records; may be given again")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  produce
      ->add_option("--durability", options.durability,
                   "What is waited for: committed (as the topic's ack.level says), written (to the operating system), synced")
      ->type_name("LEVEL")
      ->capture_default_str();
  produce->add_option("--batch", options.batch_records, "Records that are appended at once, at most")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
      ->capture_default_str();
  produce->footer(
      "Examples: printf 'ada:2 espresso\\n' | lungo log produce orders --key-separator :\n"
      "          lungo log consume orders --json | lungo log produce copy --json\n"
      "One record a line. A key decides the partition as Kafka's producers do (murmur2); without one the partitions take "
      "turns,\n"
      "batch by batch, from any one on.\n"
      "With --json a line is {\"key\", \"value\", \"headers\": [{\"name\", \"value\"}], \"timestamp\": ms since 1970, "
      "\"partition\"}, all of\n"
      "which may be absent or null; bytes that are no UTF-8 as \"keyBase64\", \"valueBase64\"; what `consume --json` prints is "
      "such "
      "a line.\n"
      "A line that is no record ends it, by its number; the ones before it are written, those behind it are not.\n"
      "--json answers: {\"topic\", \"records\", \"partitions\": [{\"partition\", \"first\", \"end\": offsets}]}");
}

Result<int> run_produce(const ToolOptions& tool, const ProduceOptions& options, StopSignals& signals, Output& out) {
  if (tool.json && options.key_separator)
    return Error{Errc::invalid_argument, "--key-separator is for lines of text; with --json the key is \"key\""};
  if (options.key_separator && options.key_separator->empty()) return Error{Errc::invalid_argument, "--key-separator is empty"};
  const Result<Durability> durability = durability_of(options.durability);
  if (!durability) return durability.error();
  Result<std::shared_ptr<EventLog>> log = open_to_write(tool.directory);
  if (!log) return log.error();
  const Result<TopicInfo> topic = find_topic(**log, options.topic);
  if (!topic) return topic.error();
  RecordWriter writer{**log, topic->spec, {*durability, options.batch_records}};
  Intake intake{tool, options, writer, (*log)->ports().clock};
  if (Result<void> headers = intake.read_headers(options.headers); !headers) return headers.error();
  if (::isatty(STDIN_FILENO) == 1) std::fputs("One record a line; Ctrl-D ends.\n", stderr);

  const Result<int> ended = or_out_of_memory([&] { return read_input(intake, writer, signals); });
  const Result<void> flushed = or_out_of_memory([&] { return writer.flush(); });
  const std::string so_far = counted(writer.written(), "record") + (writer.written() == 1 ? " was" : " were") + " written";
  if (!ended) return Error{ended.error().code(), std::string(ended.error().text()) + "; " + so_far};
  if (!flushed) return Error{flushed.error().code(), std::string(flushed.error().text()) + "; " + so_far};
  report(topic->spec.name, writer, tool.json, out);
  return *ended == 0 ? 0 : 128 + *ended;
}

RecordWriter::RecordWriter(EventLog& log, TopicSpec topic, Options options)
    : log_(log), topic_(std::move(topic)), options_(options), unkeyed_to_(any_partition(topic_, log.ports().random)) {}

Result<void> RecordWriter::add(const NewRecord& record, Timestamp now) {
  if (topic_.compact && !record.key) {
    return Error{Errc::invalid_argument, "a record without a key: topic " + topic_.name + " is compacted, which takes keys"};
  }
  std::int32_t partition = unkeyed_to_;
  if (record.partition) {
    partition = *record.partition;
  } else if (record.key) {
    partition = partition_of_key(*record.key, topic_.partitions).value();
  }
  if (Result<std::vector<TopicPartition>> there = partitions_of(topic_, {partition}); !there) return there.error();
  Pending& pending = pending_[partition];
  if (!pending.appender) {
    Result<std::shared_ptr<Appender>> appender = log_.appender({topic_.name, PartitionId{partition}});
    if (!appender) return appender.error();
    pending.appender = std::move(*appender);
  }
  std::vector<HeaderView> headers;
  for (const NewRecord::Header& header : record.headers)
    headers.push_back({header.name, as_bytes(header.value ? *header.value : std::string_view{}), header.value.has_value()});
  RecordFields fields{.timestamp = record.timestamp.value_or(now), .headers = headers};
  if (record.key) fields.key = as_bytes(*record.key);
  if (record.value) fields.value = as_bytes(*record.value);
  const std::size_t before = pending.records.size_bytes();
  if (Result<void> added = pending.records.add(fields); !added) return added;
  pending_bytes_ += pending.records.size_bytes() - before;
  if (pending_bytes_ >= kPendingBytesMax) return flush();
  const bool is_full = pending.records.count() >= options_.batch_records || pending.records.size_bytes() >= kBatchBytes;
  return is_full ? flush(partition, pending) : Result<void>{};
}

Result<void> RecordWriter::flush(std::int32_t partition, Pending& pending) {
  if (pending.records.empty()) return {};
  const std::size_t count = pending.records.count();
  pending_bytes_ -= pending.records.size_bytes();
  const Result<Appended> appended = pending.appender->append_wait(pending.records, {.durability = options_.durability});
  pending.records.clear();
  if (!appended) return appended.error();
  written_ += count;
  ranges_.try_emplace(partition, Range{appended->first, appended->end}).first->second.end = appended->end;
  if (partition == unkeyed_to_) unkeyed_to_ = (unkeyed_to_ + 1) % topic_.partitions;
  return {};
}

Result<void> RecordWriter::flush() {
  Result<void> done;
  for (auto& [partition, pending] : pending_) {
    Result<void> flushed = flush(partition, pending);
    if (done) done = flushed;
  }
  return done;
}

}  // namespace lungo
