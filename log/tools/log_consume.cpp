#include "log_consume.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <limits>
#include <system_error>

#include <lungo/log/printed.hpp>
#include <lungo/log/text.hpp>

#include "partition_feed.hpp"

namespace lungo {
namespace {

constexpr Offset kNoEnd{std::numeric_limits<std::int64_t>::max()};
constexpr std::size_t kFetchBytesMax = 1u << 20;
constexpr std::size_t kFetchBytesMin = 16u << 10;
constexpr std::size_t kAllFetchesBytes = 16u << 20;  // of all partitions together, where there are many
constexpr std::size_t kKeptBytes = 64u << 10;
constexpr Duration kLookForPartitions = std::chrono::seconds{1};

void note(const std::string& text) { std::fprintf(stderr, "lungo log: %s\n", printable(text).c_str()); }

/// What other threads wake this one with, as something to poll.
class WakeUp {
 public:
  WakeUp() : file_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (file_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~WakeUp() { ::close(file_); }
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;
  [[nodiscard]] int file() const { return file_; }
  void wake() const { static_cast<void>(::eventfd_write(file_, 1)); }
  void take() const {
    eventfd_t count = 0;
    static_cast<void>(::eventfd_read(file_, &count));
  }

 private:
  const int file_;
};

class Consumer {
 public:
  Consumer(EventLog& log, TopicInfo topic, const ToolOptions& tool, const ConsumeOptions& options, LineForm form,
           StopSignals& signals)
      : log_(log),
        topic_(std::move(topic)),
        options_(options),
        json_(tool.json),
        form_(std::move(form)),
        signals_(signals),
        out_(signals) {}

  Result<void> begin(const std::vector<TopicPartition>& partitions, const ReadFrom& from) {
    fetch_bytes_ = std::clamp(kAllFetchesBytes / partitions.size(), kFetchBytesMin, kFetchBytesMax);
    for (const TopicPartition& partition : partitions) {
      const Result<Ends> ends = log_.ends(partition);
      if (!ends) return ends.error();
      Result<Offset> first = options_.last ? last_records(partition, *ends) : begin_of(partition, *ends, from);
      if (!first) return first.error();
      // --last looks at what there is now, whatever comes meanwhile.
      const bool is_open = options_.follow && !options_.last;
      feeds_.emplace_back(log_, partition, *first, is_open ? kNoEnd : ends->committed, feed_settings());
    }
    return {};
  }

  Result<int> run() {
    Result<bool> more = options_.last ? print_last() : print_all();
    while (more && *more && options_.follow) {
      if (write_failed()) break;
      const StopSignals::Ready ready = wait();
      if (ready == StopSignals::Ready::gone) return 0;
      if (ready == StopSignals::Ready::stopped) break;
      if (Result<void> followed = follow_topic(); !followed) return followed.error();
      more = print_all();
    }
    // What was read before an error is printed before it is told.
    const bool failed = write_failed();
    if (!more) return more.error();
    if (failed) return told_ ? 1 : 0;
    // Who follows ends it so; otherwise something is missing.
    return signals_.received() == 0 || options_.follow ? 0 : 128 + signals_.received();
  }

 private:
  [[nodiscard]] ReadOptions read_options() const { return {.skip_damaged = options_.skip_damaged}; }
  [[nodiscard]] PartitionFeed::Settings feed_settings() const {
    return {.bytes_max = fetch_bytes_, .read = read_options(), .note = note};
  }
  Result<Offset> begin_of(const TopicPartition& partition, const Ends& ends, const ReadFrom& from) {
    if (from.kind == ReadFrom::Kind::earliest) return ends.start;
    if (from.kind == ReadFrom::Kind::latest) return ends.committed;
    if (from.kind == ReadFrom::Kind::time) {
      Result<std::optional<Offset>> found = log_.offset_at(partition, from.time);
      if (!found && found.error() == Errc::corrupt && options_.skip_damaged) {
        note(std::string(found.error().text()) + "; some of them may be as new as what --from asks for");
        found = log_.offset_at_of_what_is_left(partition, from.time);
      }
      if (!found) return found.error();
      return found->value_or(ends.committed);
    }
    if (from.offset < ends.start) note(to_string(partition) + " begins at offset " + std::to_string(ends.start.value()));
    if (from.offset > ends.committed) note(to_string(partition) + " ends at offset " + std::to_string(ends.committed.value()));
    return std::clamp(from.offset, ends.start, ends.committed);
  }

  /// Where at least so many records begin that lie before the end, if there are.
  Result<Offset> last_records(const TopicPartition& partition, const Ends& ends) {
    Offset first = ends.committed;
    std::uint64_t count = 0;
    while (count < *options_.last && first > ends.start) {
      const Result<Fetched> fetched = read_back_with(log_, partition, first, fetch_bytes_, read_options());
      if (!fetched) return fetched.error();
      if (fetched->empty()) break;
      RecordCursor cursor = fetched->records();
      while (cursor.next() != nullptr) ++count;
      if (cursor.error()) return cursor.error()->with_context(to_string(partition));
      first = fetched->first();
    }
    return first;
  }

  /// The feed whose next record is the oldest; null when none has one.
  Result<PartitionFeed*> oldest() {
    PartitionFeed* best = nullptr;
    Timestamp time;
    for (PartitionFeed& feed : feeds_) {
      const Result<const RecordView*> record = feed.peek();
      if (!record) return record.error();
      if (*record == nullptr || (best != nullptr && (*record)->timestamp >= time)) continue;
      best = &feed;
      time = (*record)->timestamp;
    }
    return best;
  }

  /// Hands on all records that are there; false when no more are wanted.
  Result<bool> for_all(const std::function<void(std::string)>& take) {
    for (;;) {
      if (options_.max && printed_ >= *options_.max) return false;
      const Result<PartitionFeed*> feed = oldest();
      if (!feed) return feed.error();
      if (*feed == nullptr) return true;
      const Result<const RecordView*> record = (*feed)->peek();
      if (!record) return record.error();
      const TopicPartition& partition = (*feed)->partition();
      take(json_ ? json_of(**record, partition) : line_of(**record, partition.partition, form_));
      (*feed)->pop();
      if (out_.size_bytes() >= kKeptBytes && write_failed()) return false;
      if (signals_seen_every(256)) return false;
    }
  }

  Result<bool> print_all() {
    return for_all([this](std::string line) {
      out_.line(line);
      ++printed_;
    });
  }

  Result<bool> print_last() {
    std::deque<std::string> kept;
    Result<bool> read = for_all([&](std::string line) {
      kept.push_back(std::move(line));
      if (kept.size() > *options_.last) kept.pop_front();
    });
    if (!read) return read;
    for (const std::string& line : kept) {
      if (options_.max && printed_ >= *options_.max) return false;
      out_.line(line);
      ++printed_;
    }
    for (PartitionFeed& feed : feeds_) feed.go_on_until(kNoEnd);
    return *read;
  }

  bool write_failed() {
    const int failure = out_.flush();
    if (failure != 0 && failure != EPIPE && !std::exchange(told_, true))
      note("standard output: " + std::generic_category().message(failure));
    return failure != 0;
  }

  bool signals_seen_every(unsigned records) { return ++looks_ % records == 0 && signals_.received() != 0; }

  StopSignals::Ready wait() {
    wake_up_->take();
    std::vector<EventLog::NotifyToken> tokens;
    for (const PartitionFeed& feed : feeds_)
      tokens.push_back(log_.notify_above(feed.partition(), feed.next(), [wake_up = wake_up_] { wake_up->wake(); }));
    return signals_.wait_beside_output(wake_up_->file(), kLookForPartitions);
  }

  /// Partitions that are added are followed too; a topic that goes is an error.
  Result<void> follow_topic() {
    const Result<TopicInfo> now = log_.topic(topic_.spec.name);
    if (!now || now->id != topic_.id) return Error{Errc::not_found, "topic " + topic_.spec.name + " was deleted"};
    for (; options_.partitions.empty() && topic_.spec.partitions < now->spec.partitions; ++topic_.spec.partitions)
      feeds_.emplace_back(log_, TopicPartition{topic_.spec.name, PartitionId{topic_.spec.partitions}}, Offset{0}, kNoEnd,
                          feed_settings());
    return {};
  }

  EventLog& log_;
  TopicInfo topic_;
  const ConsumeOptions& options_;
  const bool json_;
  const LineForm form_;
  StopSignals& signals_;
  StoppableOutput out_;
  const std::shared_ptr<WakeUp> wake_up_ = std::make_shared<WakeUp>();  // shared with a call that comes late
  std::deque<PartitionFeed> feeds_;
  std::size_t fetch_bytes_ = kFetchBytesMin;
  std::uint64_t printed_ = 0;
  unsigned looks_ = 0;
  bool told_ = false;
};

}  // namespace

Result<ReadFrom> parse_from(const std::string& text) {
  using Kind = ReadFrom::Kind;
  if (text == "earliest") return ReadFrom{Kind::earliest, {}, {}};
  if (text == "latest") return ReadFrom{Kind::latest, {}, {}};
  if (const std::optional<std::int64_t> offset = parse_number<std::int64_t>(text); offset && *offset >= 0)
    return ReadFrom{Kind::offset, Offset{*offset}, {}};
  if (text.starts_with('@')) {
    const std::optional<std::int64_t> millis = parse_number<std::int64_t>(std::string_view{text}.substr(1));
    if (millis) return ReadFrom{Kind::time, {}, Timestamp{std::chrono::milliseconds{*millis}}};
  } else if (const std::optional<Timestamp> time = parse_time(text)) {
    return ReadFrom{Kind::time, {}, *time};
  }
  const std::optional<std::string> meant = nearest(text, {"earliest", "latest"});
  return Error{Errc::invalid_argument, "'" + text + "' is no place to begin at; " +
                                           (meant ? "did you mean " + *meant + "? Otherwise " : "") +
                                           "write earliest, latest, an offset (42), a time in UTC (2024-05-01 or "
                                           "2024-05-01T12:00:00Z), or @ and milliseconds since 1970"};
}

void describe_consume(CLI::App& app, ConsumeOptions& options) {
  // CLI11 would take -5 for a number that is not far from the largest.
  const CLI::Validator not_negative{
      [](const std::string& text) { return text.starts_with('-') ? text + " is less than 0" : std::string{}; }, ""};

  CLI::App* consume = app.add_subcommand("consume", "Print the records of a topic, now or as they come");
  consume->add_option("TOPIC", options.topic, "The topic")->required();
  consume->add_option("--partition", options.partitions, "Only of this partition; may be given again")
      ->type_name("N")
      ->allow_extra_args(false);
  CLI::Option* from =
      consume->add_option("--from", options.from, "Where to begin in each partition: earliest, latest, OFFSET or TIME")
          ->type_name("PLACE")
          ->default_str("earliest");
  consume->add_option("--last", options.last, "Begin with the N newest records that are there")
      ->type_name("N")
      ->check(not_negative)
      ->excludes(from);
  consume->add_option("--max", options.max, "At most so many records, then end")->type_name("N")->check(not_negative);
  consume->add_flag("--follow", options.follow, "Go on with what comes, until Ctrl-C");
  consume->add_flag("--skip-damaged", options.skip_damaged, "Go on behind records that are damaged, and say on stderr which");
  consume
      ->add_option("--print", options.columns,
                   "In front of the value, with tabs between: partition, offset, time, key, headers")
      ->type_name("NAMES")
      ->delimiter(',')
      ->allow_extra_args(false);
  consume->footer(
      "Examples: lungo log consume orders --from 2024-05-01T12:00:00Z --print offset,time,key\n"
      "          lungo log consume orders --last 10 --follow --json\n"
      "OFFSET is a number, TIME in UTC 2024-05-01, 2024-05-01T12:00, 2024-05-01T12:00:00.5Z, or @ and milliseconds since 1970: "
      "the\n"
      "first record that is not older. Of several partitions the oldest record comes next. Without --follow it ends with what "
      "was\n"
      "there when it began.\n"
      "Bytes are printed as they are, but on a terminal as \\t, \\n, \\xNN or \\uNNNN where it might act on them; a null is "
      "\"null\".\n"
      "--json: {\"topic\", \"partition\", \"offset\", \"time\", \"timestamp\": ms since 1970, \"key\", \"value\", \"headers\": "
      "[{\"name\", \"value\"}]};\n"
      "bytes that are no UTF-8 are \"keyBase64\", \"valueBase64\". `produce --json` takes it in again.\n"
      "Exit status: 0 also when a signal ends --follow.");
}

Result<int> run_consume(const ToolOptions& tool, const ConsumeOptions& options, StopSignals& signals) {
  const Result<ReadFrom> from = parse_from(options.from.value_or("earliest"));
  if (!from) return from.error();
  LineForm form;
  Result<std::vector<Column>> columns = columns_of(options.columns);
  if (!columns) return columns.error();
  if (tool.json && !columns->empty())
    return Error{Errc::invalid_argument, "--print is for lines of text; --json has everything"};
  form.columns = std::move(*columns);
  form.escaped = ::isatty(STDOUT_FILENO) == 1;

  Result<std::shared_ptr<EventLog>> log = open_to_read(tool.directory);
  if (!log) return log.error();
  const Result<TopicInfo> topic = find_topic(**log, options.topic);
  if (!topic) return topic.error();
  const Result<std::vector<TopicPartition>> partitions = partitions_of(topic->spec, options.partitions);
  if (!partitions) return partitions.error();
  Consumer consumer{**log, *topic, tool, options, std::move(form), signals};
  if (Result<void> begun = consumer.begin(*partitions, *from); !begun) return begun.error();
  return consumer.run();
}

}  // namespace lungo
