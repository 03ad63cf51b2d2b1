#include "import/log_import.hpp"

#include <charconv>

#include <lungo/log/text.hpp>

#include "import/resume.hpp"

namespace tracker {
namespace {

using lungo::Errc;
using lungo::Error;
using lungo::Result;

constexpr std::size_t kEvents = 0;  // index of kEventsTopic among the topics appended to
constexpr std::size_t kFailed = 1;
constexpr lungo::Duration kMarkInterval = std::chrono::seconds{1};

// A line that its file's end cuts off counts when nothing that is written later can change what it says.
bool counts_as_it_is(const Line& begun, const ByteSource& source) { return !source.can_grow() || is_closed_line(begun.text); }

WaitingLine waiting_line(const Line& begun, const LogMark& before) {
  return {.number = begun.number, .begin = before.bytes, .bytes = begun.bytes};
}

struct FirstLook {
  std::optional<FirstLine> line;  // nothing when the file has none yet
  std::optional<WaitingLine> waiting;
};

// Looks at the file's first line and gives its source back.
Result<FirstLook> first_look(std::unique_ptr<ByteSource>& source, ImportMode mode) {
  LineReader reader{std::move(source), RollingHash{0}, LogMark{}};
  const Result<std::optional<Line>> ended = reader.next();
  FirstLook look;
  if (ended && *ended) look.line = FirstLine{.text = std::string{(*ended)->text}, .ended = true};
  const std::optional<Line> begun = ended && !*ended ? reader.begun() : std::nullopt;
  if (begun && mode == ImportMode::whole && counts_as_it_is(*begun, reader.source())) {
    look.line = FirstLine{.text = std::string{begun->text}, .ended = false};
  } else if (begun) {
    look.waiting = waiting_line(*begun, LogMark{});
  }
  source = reader.release();
  if (!ended) return ended.error();
  return look;
}

}  // namespace

struct LogImport::Parts {
  Parts(ImportSite given, std::string file_path, ImportMode how)
      : site(given), path(std::move(file_path)), mode(how), chain(given.secret) {}

  Result<void> handle(const Line& line) {
    if (line.continues) return closed || line.text.empty() ? Result<void>{} : drop(line, DropReason::continued);
    ++report.lines;
    const std::optional<DropReason> reason = chain.run(line.text, draft);
    closed = !reason && draft.line.closed;
    if (reason) return drop(line, *reason);
    last_time = std::chrono::time_point_cast<std::chrono::milliseconds>(draft.time());
    const std::size_t lane = appends->lane_of(kEvents, draft.stream);
    if (place_of(line.number, false) <= start.done[lane]) return {};
    ++report.events;
    return appends->add(lane, draft.stream, draft.request, meta_of(line));
  }

  Result<void> drop(const Line& line, DropReason reason) {
    const auto index = static_cast<std::size_t>(reason);
    ++drops[index];
    const std::size_t lane = appends->lane_of(kFailed, failed_stream);
    if (place_of(line.number, line.continues) <= start.done[lane]) return {};
    ++report.drops[index];
    if (report.positions[index].size() < ImportReport::kPositionsKept) report.positions[index].push_back(line.number);
    const lungo::BytesView original = lungo::as_bytes(line.text);
    const FailedLine failed{.file = path,
                            .line = line.number,
                            .reason = std::string{to_string(reason)},
                            .line_bytes = line.bytes,
                            .original = {original.begin(), original.end()}};
    return appends->add(lane, failed_stream, failed, meta_of(line));
  }

  // A failed line has the time of the good line before it: its own can't be trusted, and the import's would differ each time.
  // Where there is none it is a millisecond of 1970, since 1970-01-01 itself is "none" for Kafka's clients.
  lungo::EventMeta meta_of(const Line& line) {
    id.resize(start.file.size() + 1);
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, line.number).ptr;
    id.append(digits, end);
    if (line.continues) id.push_back('+');
    lungo::EventMeta meta;
    meta.time = last_time == lungo::Timestamp{} ? lungo::Timestamp{std::chrono::milliseconds{1}} : last_time;
    meta.id = id;
    meta.lane = import_lane;
    return meta;
  }

  [[nodiscard]] lungo::Instant now() const { return site.store.log().ports().clock.monotonic(); }
  [[nodiscard]] bool mark_is_due() const { return now() >= next_mark; }

  Result<void> write_mark() {
    Result<void> flushed = appends->flush();
    if (!flushed) return flushed;
    const LogMark mark = start.reader->mark();
    if (marked && mark == *marked) return {};
    std::vector<ImportProgress> records;
    for (std::size_t lane = 0; lane < appends->lanes(); ++lane) {
      const lungo::TopicPartition& partition = appends->partition(lane);
      Result<lungo::Ends> ends = site.store.log().ends(partition);
      if (!ends) return ends.error();
      const Result<lungo::TopicInfo> topic = site.store.topic(partition.topic);
      if (!topic) return topic.error();
      // While lines are gone over that a killed run had appended already, the next start must meet those records again.
      const bool inside_tail = start.done[lane] > place_of(mark.lines, !mark.inside_line);
      const lungo::Offset next_offset = inside_tail ? start.tail[lane] : ends->committed;
      records.push_back({.file = start.file,
                         .path = path,
                         .topic = partition.topic,
                         .partition = partition.partition.value(),
                         .lines = mark.lines,
                         .bytes = mark.bytes,
                         .hash = mark.hash,
                         .inside_line = mark.inside_line,
                         .drops = drops,
                         .last_time_ms = last_time.time_since_epoch().count(),
                         .next_offset = next_offset.value(),
                         .first_line_bytes = start.counts.first_line_bytes,
                         .closed = mark.inside_line && closed,
                         .topic_id = topic->id.bytes});
    }
    Result<void> written = site.book.write(records);
    if (!written) return written;
    marked = mark;
    next_mark = now() + kMarkInterval;
    return {};
  }

  ImportSite site;
  std::string path;
  ImportMode mode;
  IngestChain chain;
  std::unique_ptr<BatchedAppends> appends;
  StartingPoint start;
  std::string failed_stream;
  std::string import_lane;  // empty: the live lane
  bool is_empty = false;    // no line yet that the file could be known by
  bool closed = false;      // the line that was handled last, if it had no end: nothing more comes of it
  std::vector<std::uint64_t> drops;
  lungo::Timestamp last_time{};
  std::optional<LogMark> marked;
  lungo::Instant next_mark{};
  ImportReport report;
  OpenFiles::Hold hold;
  Draft draft;
  std::string id;
};

LogImport::LogImport(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
LogImport::~LogImport() = default;

Result<std::unique_ptr<LogImport>> LogImport::open(ImportSite site, const std::string& path, ImportMode mode) {
  if (mode == ImportMode::follow) {
    Result<void> possible = check_can_be_followed(path);
    if (!possible) return possible.error();
  }
  Result<std::unique_ptr<ByteSource>> source = open_source(path);
  if (!source) return source.error();
  if (mode == ImportMode::follow && !(*source)->can_grow()) {
    return Error{Errc::unsupported, path + " can't be followed: it is compressed; import it instead"};
  }
  const FileIdentity identity = (*source)->identity();
  if ((*source)->can_rewind() && site.open_files.has(identity)) {
    if (mode == ImportMode::follow) return std::unique_ptr<LogImport>{};
    return Error{Errc::locked, path + " is being imported already, maybe under another name"};
  }
  auto parts = std::make_unique<Parts>(site, path, mode);
  Result<std::unique_ptr<BatchedAppends>> appends =
      BatchedAppends::open(site.appends, {std::string{kEventsTopic}, std::string{kFailedTopic}});
  if (!appends) return appends.error();
  parts->appends = std::move(*appends);

  if ((*source)->can_rewind()) {
    Result<FirstLook> look = first_look(*source, mode);
    if (!look) return look.error();
    if (!look->line && mode == ImportMode::follow) return std::unique_ptr<LogImport>{};
    if (!look->line) {
      // It may get its first line at any moment, and would then be known by that: nothing is read or written down until then.
      parts->is_empty = true;
      parts->report.waiting = look->waiting;
      parts->start.reader = std::make_unique<LineReader>(std::move(*source), mark_hash(site.secret), LogMark{});
      return std::unique_ptr<LogImport>{new LogImport{std::move(parts)}};
    }
    Result<StartingPoint> start = find_starting_point(site.store, site.book, site.open_files, site.secret, *parts->appends,
                                                      *look->line, std::move(*source));
    if (!start) return start.error();
    parts->start = std::move(*start);
    parts->hold = site.open_files.hold(identity, parts->start.file);
  } else {
    std::array<std::byte, 8> random;
    site.store.log().ports().random.fill(random);
    parts->start.file = "stream-" + lungo::to_hex(random);
    parts->start.reader = std::make_unique<LineReader>(std::move(*source), mark_hash(site.secret), LogMark{});
    parts->start.counts.drops.assign(kDropReasons, 0);
    parts->start.done.assign(parts->appends->lanes(), 0);
    parts->start.tail.assign(parts->appends->lanes(), lungo::Offset{});
  }

  site.book.set_path(parts->start.file, path);
  parts->failed_stream = lungo::StreamId{"failed", parts->start.file}.text();
  if (mode == ImportMode::whole) parts->import_lane = "import-" + parts->start.file;
  parts->id = parts->start.file + ":";
  parts->drops = parts->start.counts.drops;
  parts->drops.resize(kDropReasons);
  parts->closed = parts->start.counts.closed;
  parts->last_time = lungo::Timestamp{std::chrono::milliseconds{parts->start.counts.last_time_ms}};
  if (!parts->start.is_new) {
    parts->marked = parts->start.reader->mark();
    parts->next_mark = parts->now() + kMarkInterval;
  } else {
    // A mark at the very beginning: it says where a restart begins to look, however early the crash.
    Result<void> marked = parts->write_mark();
    if (!marked) return marked.error();
  }
  return std::unique_ptr<LogImport>{new LogImport{std::move(parts)}};
}

Result<LogImport::Step> LogImport::step(std::size_t lines_max) {
  if (parts_->is_empty) return Step{.at_end = true, .committed = true};
  Step step;
  const bool may_be_slow = !source().can_rewind();
  for (; step.lines < lines_max; ++step.lines) {
    Result<std::optional<Line>> line = parts_->start.reader->next();
    if (!line && line.error().code() == Errc::timed_out) break;
    if (!line) return line.error();
    step.at_end = !line->has_value();
    if (step.at_end) break;
    Result<void> done = parts_->handle(**line);
    if (!done) return done.error();
    if (may_be_slow && parts_->mark_is_due()) break;
  }
  if (parts_->mark_is_due()) {
    Result<void> marked = parts_->write_mark();
    if (!marked) return marked.error();
  }
  step.committed = parts_->marked == parts_->start.reader->mark();
  return step;
}

Result<void> LogImport::finish(bool at_end) {
  if (parts_->is_empty) return {};
  LineReader& reader = *parts_->start.reader;
  const std::optional<Line> begun = at_end ? reader.begun() : std::nullopt;
  if (begun && (begun->continues ? parts_->closed || !source().can_grow() : counts_as_it_is(*begun, source()))) {
    Result<void> done = parts_->handle(*reader.rest());
    if (!done) return done;
  } else if (begun && !begun->continues) {
    parts_->report.waiting = waiting_line(*begun, reader.mark());
  }
  return parts_->write_mark();
}

const ImportReport& LogImport::report() const { return parts_->report; }
const std::string& LogImport::path() const { return parts_->path; }
const std::string& LogImport::file() const { return parts_->start.file; }
ByteSource& LogImport::source() { return parts_->start.reader->source(); }
std::array<StepCount, 4> LogImport::steps() const { return parts_->chain.counts(); }

}  // namespace tracker
