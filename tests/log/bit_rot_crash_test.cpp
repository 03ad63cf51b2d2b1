// Goal: a byte that rots, in whatever file of a data directory, is noticed or does no harm.
// Method: small directories that together have a file of every kind, stopped and killed. Each byte of each file rots in turn,
// by a bit and as a whole, and a writer and a reader of another process open what is left; RotCheck says what has to hold. Then
// 10,000 bits at random in a partition of 50 segments. Then the same with what a process leaves that is killed while compaction
// puts segments in the place of others. Which kinds of files there are is read from the code.
#include <gtest/gtest.h>

#include <cstdio>

#include "segment.hpp"
#include "segment_digest.hpp"
#include "tests/log/file_kinds.hpp"
#include "tests/log/rotten_directory.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

/// Reads what is there while nothing has rotted.
void note_promises(RotSubject& subject, EventLog& log, Promised& promised) {
  promised.kept.clear();
  promised.epochs.clear();
  const Ends ends = log.ends(subject.partition).value();
  promised.start = ends.start;
  promised.end = ends.committed;
  for (Offset at = ends.start; at < ends.committed;) {
    const Result<Fetched> fetched = read_with(log, subject.partition, at, 1, {.skip_damaged = true});
    ASSERT_TRUE(fetched) << fetched.error();
    if (fetched->empty()) break;
    RecordCursor cursor = fetched->records();
    while (const RecordView* record = cursor.next()) {
      promised.ever[record->offset] = decode(*record);
      promised.kept.insert(record->offset);
    }
    promised.epochs[fetched->first()] = fetched->next().epoch;
    at = fetched->next().offset;
  }
}

constexpr Offset kNoEnd{std::numeric_limits<std::int64_t>::max()};

enum class Kind { plain, streams, compacted, holed };

constexpr std::array kKinds{Kind::plain, Kind::streams, Kind::compacted, Kind::holed};

using Hook = std::function<void(SimDisk&, const DiskStep&)>;

/// Makes a directory, and remembers all that was ever in it.
class RotSubjectOf {
 public:
  /// `before_step` is called before each step of a compaction.
  RotSubjectOf(Kind kind, bool killed, Hook before_step = {}) : before_step_(std::move(before_step)) {
    spec_.name = subject_.partition.topic;
    spec_.partitions = 1;
    EXPECT_TRUE(machine_->open(false));
    switch (kind) {
      case Kind::plain:
        make_plain();
        break;
      case Kind::streams:
        make_streams();
        break;
      case Kind::compacted:
        make_compacted();
        break;
      case Kind::holed:
        make_holed();
        break;
    }
    note_promises(subject_, *machine_->log, subject_.promised);
    // The leader epoch of the very last batch is under no checksum, and no neighbour tells of it.
    subject_.promised.epochs.erase(std::prev(subject_.promised.epochs.end()));
    if (!killed) machine_->log.reset();
    subject_.disk = machine_->simulation.disk.after_kill();
  }
  RotSubject take() { return std::move(subject_); }

 private:
  // Several segments, one of them with index entries; two epochs; a producer; a start above the first record.
  void make_plain() {
    spec_.segment_bytes = 600;
    create();
    for (int i = 0; i < 4; ++i) put({{.key = "k" + std::to_string(i), .value = std::string(100, 'a'), .time = 1000 + i}});
    restart();
    ASSERT_TRUE(machine_->log->alter_topic(spec_.name, {.segment_bytes = 5000}));
    machine_->produce(subject_.partition, produced_by(7, 0, 2));
    for (int i = 0; i < 2; ++i) put({{.key = "long", .value = std::string(2050, 'b'), .time = 1010 + i}});
    put({{.key = "c", .value = "short", .time = 1020}, {.key = "d", .value = "shorter", .time = 1015}});
    ASSERT_TRUE(machine_->log->alter_topic(spec_.name, {.segment_bytes = 600}));
    for (int i = 0; i < 2; ++i) put({{.key = "e", .value = std::string(150, 'e'), .time = 1030 + i}});
    subject_.last_batch = produced_by(7, 2, 1);
    machine_->produce(subject_.partition, *subject_.last_batch);
    note_promises(subject_, *machine_->log, subject_.promised);
    ASSERT_TRUE(machine_->log->delete_records(subject_.partition, Offset{4}));
    pass_time();
  }

  // Runs of the stream index, and records above them.
  void make_streams() {
    spec_.streams = subject_.streams = true;
    spec_.segment_bytes = 900;
    create();
    for (int i = 0; i < 8; ++i)
      put({{.key = "k" + std::to_string(i % 3), .value = std::to_string(i), .id = "id" + std::to_string(i)}});
    restart();
    for (int i = 8; i < 12; ++i)
      put({{.key = "k" + std::to_string(i % 3), .value = std::to_string(i), .id = "id" + std::to_string(i)}});
    subject_.last_id = TestRecord{.key = "k2", .value = "11", .id = "id11"};
  }

  // Segments that have lost records to later ones.
  void make_compacted() {
    spec_.compact = subject_.gaps = true;
    spec_.segment_bytes = 512;
    create();
    for (int i = 0; i < 14; ++i)
      put({{.key = "k" + std::to_string(i % 3), .value = std::to_string(i) + std::string(40, '.'), .time = 1000 + i}});
    note_promises(subject_, *machine_->log, subject_.promised);
    SimDisk& disk = machine_->simulation.disk;
    disk.on_step([this, &disk](const DiskStep& step) {
      if (before_step_) before_step_(disk, step);
    });
    machine_->simulation.executor.run_for(std::chrono::seconds{25});
    disk.on_step({});
  }

  // A range of records that is known to be lost.
  void make_holed() {
    spec_.segment_bytes = 700;
    create();
    for (int i = 0; i < 6; ++i) put({{.key = "k", .value = std::to_string(i) + std::string(60, 'v'), .time = 1000 + i}});
    note_promises(subject_, *machine_->log, subject_.promised);
    restart([this] { rot(machine_->simulation.disk, kRotDirectory + "/t-0/00000000000000000000.log", 150 + 62, std::byte{1}); },
            true);
    put({{.key = "k", .value = "behind", .time = 1010}});
    ASSERT_EQ(machine_->log->damage(subject_.partition).size(), 1u);
  }

  void create() { ASSERT_TRUE(machine_->log->create_topic(spec_)); }
  void put(const std::vector<TestRecord>& records) { machine_->append(subject_.partition, records); }
  /// So that checkpoints are written and removals done.
  void pass_time() { machine_->simulation.executor.run_for(std::chrono::seconds{21}); }
  void restart(const std::function<void()>& meanwhile = {}, bool killed = false) {
    std::unique_ptr<SimDisk> disk = killed ? machine_->simulation.disk.after_kill() : nullptr;
    machine_->log.reset();
    if (!disk) disk = machine_->simulation.disk.after_kill();
    machine_ = std::make_unique<RotMachine>(std::move(disk));
    if (meanwhile) meanwhile();
    const Result<void> opened = machine_->open(false);
    ASSERT_TRUE(opened) << opened.error();
  }

  const Hook before_step_;
  std::unique_ptr<RotMachine> machine_ = std::make_unique<RotMachine>();
  TopicSpec spec_;
  RotSubject subject_;
};

/// What somebody finds who opens the directory after this byte has rotted, of the records in [from, end).
void expect_noticed_or_harmless(const RotSubject& subject, const std::string& path, std::uint64_t position, std::byte mask,
                                bool read_only, Offset from = Offset{0}, Offset end = kNoEnd) {
  SCOPED_TRACE(path + ", byte " + std::to_string(position) + " ^ " + std::to_string(std::to_integer<int>(mask)));
  RotMachine machine(subject.disk->after_kill());
  rot(machine.simulation.disk, path, position, mask);
  const Result<void> opened = machine.open(read_only);
  if (!opened) {
    ASSERT_TRUE(tells_of_damage(opened.error())) << opened.error();
    return;
  }
  RotCheck check(subject, *machine.log);
  check.may_lag = read_only && path.ends_with("/tail");
  ASSERT_NO_FATAL_FAILURE(check.look(from, end));
  if (read_only) return;
  ASSERT_NO_FATAL_FAILURE(check.append());
}

struct Situation {
  Kind kind;
  bool killed;
  bool read_only;
};

/// One bit of each byte, and the whole of it. Where offsets may be missing, each bit: many a base offset lies in a gap, too,
/// and only the segment's digest tells, or that it is the last one.
std::vector<std::byte> masks_for(bool may_have_gaps, std::uint64_t position) {
  if (!may_have_gaps) return {std::byte{1} << (position % 8), std::byte{0xff}};
  std::vector<std::byte> masks{std::byte{0xff}};
  for (int bit = 0; bit < 8; ++bit) masks.push_back(std::byte{1} << bit);
  return masks;
}

class EveryByte : public testing::TestWithParam<Situation>, SilentLog {};

TEST_P(EveryByte, ThatRotsIsNoticedOrHarmless) {
  const Situation& situation = GetParam();
  const RotSubject subject = RotSubjectOf(situation.kind, situation.killed).take();
  ASSERT_FALSE(HasFatalFailure());
  std::map<std::string, std::uint64_t> files;
  list_files(*subject.disk, kRotDirectory, files);
  std::uint64_t states = 0;
  int sealed = 0;
  std::string last;  // of the segments
  for (const auto& [path, bytes] : files) {
    if (path.ends_with(kLogSuffix)) last = std::max(last, path);
  }
  ASSERT_GT(files.at(last), 0U);
  for (const auto& [path, bytes] : files) {
    const std::string beside =
        path.substr(0, path.size() - std::min(path.size(), kLogSuffix.size())) + std::string(kDigestSuffix);
    const bool has_digest = situation.kind == Kind::compacted && path.ends_with(kLogSuffix) && files.contains(beside);
    sealed += has_digest ? 1 : 0;
    const bool may_have_gaps = has_digest || (situation.kind == Kind::compacted && path == last);
    for (std::uint64_t position = 0; position < bytes; ++position) {
      for (const std::byte mask : masks_for(may_have_gaps, position)) {
        ++states;
        expect_noticed_or_harmless(subject, path, position, mask, situation.read_only);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_TRUE(sealed > 0 || situation.kind != Kind::compacted);
  std::printf("%llu states\n", static_cast<unsigned long long>(states));
}

std::vector<Situation> situations() {
  std::vector<Situation> all;
  for (const Kind kind : kKinds) {
    for (const bool killed : {false, true}) {
      for (const bool read_only : {false, true}) all.push_back({kind, killed, read_only});
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Situation>& info) {
  constexpr std::array kNames{"Plain", "Streams", "Compacted", "Holed"};
  return std::string(kNames[static_cast<std::size_t>(info.param.kind)]) + (info.param.killed ? "Killed" : "Stopped") +
         (info.param.read_only ? "Read" : "Written");
}

INSTANTIATE_TEST_SUITE_P(Directories, EveryByte, testing::ValuesIn(situations()), name_of);

/// Notes which kinds the files of a directory are, but for empty ones, which have nothing that could rot.
void note_kinds(SimDisk& disk, std::set<std::string>& there) {
  std::map<std::string, std::uint64_t> files;
  list_files(disk, kRotDirectory, files);
  for (const auto& [path, bytes] : files) {
    const FileKind* kind = kind_of(path);
    ASSERT_NE(kind, nullptr) << path << " is of no kind";
    if (bytes > 0) there.emplace(kind->name);
  }
}

// ---- what an interrupted exchange leaves ----

/// The call that compaction does not come to any more.
struct Moment {
  const char* name;
  std::string_view operation;
  std::string_view end;     // of its path
  std::string_view leaves;  // the end of a name
};

constexpr std::array kMoments{
    Moment{"BeforeItCounts", "rename", ".log.swap", ".log.cleaned"},
    Moment{"BeforeTheOldOnesGo", "rename", ".log.deleted", ".log.swap"},
    Moment{"BeforeItIsInPlace", "rename", ".log", ".log.swap"},
    Moment{"BeforeTheIndexIsInPlace", "rename", ".index", ".index.swap"},
    Moment{"BeforeTheOldOnesAreRemoved", "remove", ".log.deleted", ".log.deleted"},
    Moment{"BeforeItsEndIsNoted", "rename", "lungo.cleaned", "lungo.cleaned.tmp"},
};

RotSubject interrupted(const Moment& moment) {
  std::unique_ptr<SimDisk> left;
  RotSubject subject = RotSubjectOf(Kind::compacted, false, [&](SimDisk& disk, const DiskStep& step) {
                         if (!left && step.operation == moment.operation && step.path.ends_with(moment.end))
                           left = disk.after_kill();
                       }).take();
  EXPECT_NE(left, nullptr) << "it never came to " << moment.name;
  if (!left) return subject;
  subject.disk = std::move(left);
  RotMachine whole(subject.disk->after_kill());
  EXPECT_TRUE(whole.open(false));
  note_promises(subject, *whole.log, subject.promised);
  subject.promised.epochs.erase(std::prev(subject.promised.epochs.end()));
  return subject;
}

/// Files that are neither the directory's nor a partition's when nothing is under way, with their sizes.
std::map<std::string, std::uint64_t> leftovers(const RotSubject& subject) {
  std::map<std::string, std::uint64_t> files;
  list_files(*subject.disk, kRotDirectory, files);
  std::erase_if(files, [](const auto& file) { return kind_of(file.first)->where != RotsIn::interruption; });
  return files;
}

class InterruptedExchange : public testing::TestWithParam<Moment>, SilentLog {};

TEST_P(InterruptedExchange, LeavesNothingThatRotsUnnoticed) {
  const RotSubject subject = interrupted(GetParam());
  ASSERT_FALSE(HasFailure());
  const auto files = leftovers(subject);
  ASSERT_TRUE(std::ranges::any_of(files, [&](const auto& file) { return file.first.ends_with(GetParam().leaves); }));
  std::uint64_t states = 0;
  for (const auto& [path, bytes] : files) {
    for (std::uint64_t position = 0; position < bytes; ++position) {
      for (const std::byte mask : masks_for(path.ends_with(".log.swap"), position)) {
        for (const bool read_only : {false, true}) {
          ++states;
          expect_noticed_or_harmless(subject, path, position, mask, read_only);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  std::printf("%llu states\n", static_cast<unsigned long long>(states));
}

INSTANTIATE_TEST_SUITE_P(Moments, InterruptedExchange, testing::ValuesIn(kMoments),
                         [](const auto& given) { return std::string(given.param.name); });

// ---- the kinds of files ----

TEST(BitRot, MeetsEachKindOfFileThatTheLogWrites) {
  const SilentLog silent;
  std::set<std::string> listed;
  for (const FileKind& kind : kFileKinds) listed.emplace(kind.name);
  EXPECT_EQ(names_in_the_code(), listed) << "what the code can write, and tests/log/file_kinds.hpp";

  std::map<RotsIn, std::set<std::string>> there;
  for (const Kind kind : kKinds) {
    for (const bool killed : {false, true}) note_kinds(*RotSubjectOf(kind, killed).take().disk, there[RotsIn::directory]);
  }
  for (const Moment& moment : kMoments) note_kinds(*interrupted(moment).disk, there[RotsIn::interruption]);
  for (const FileKind& kind : kFileKinds) {
    if (kind.where == RotsIn::elsewhere) continue;
    EXPECT_TRUE(there[kind.where].contains(std::string(kind.name))) << kind.name << " rots in no directory of these tests";
  }
}

// ---- many segments ----

constexpr std::uint64_t kRandomBits = 10'000;
constexpr std::uint64_t kShards = 4;
constexpr std::size_t kSegments = 50;

RotSubject many_segments(bool killed) {
  RotSubject subject;
  RotMachine machine;
  EXPECT_TRUE(machine.open(false));
  EXPECT_TRUE(machine.log->create_topic({.name = subject.partition.topic, .partitions = 1, .segment_bytes = 4500}));
  for (int i = 0; i < 16 * static_cast<int>(kSegments) - 4; ++i) {
    machine.append(subject.partition, {{.key = "k" + std::to_string(i % 7),
                                        .value = std::to_string(i) + std::string(200, 'v'),
                                        .time = 1000 + 10 * i - i % 3 * 25}});
  }
  note_promises(subject, *machine.log, subject.promised);
  if (!killed) machine.log.reset();
  subject.disk = machine.simulation.disk.after_kill();
  return subject;
}

class RandomBits : public testing::TestWithParam<std::uint64_t>, SilentLog {};

TEST_P(RandomBits, OfOneInFiftySegmentsThatRotAreNoticedOrHarmless) {
  const std::uint64_t seed = test_seed(GetParam());
  SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
  Random random(seed);
  const std::array<RotSubject, 2> subjects{many_segments(false), many_segments(true)};
  std::array<std::map<std::string, std::uint64_t>, 2> files;
  for (std::size_t i = 0; i < subjects.size(); ++i) list_files(*subjects[i].disk, kRotDirectory + "/t-0", files[i]);
  std::vector<Offset> bases;
  for (const auto& [path, bytes] : files[1]) {
    if (path.ends_with(".log")) bases.push_back(*segment_base(path.substr(path.rfind('/') + 1), kLogSuffix));
  }
  ASSERT_GE(bases.size(), kSegments);
  ASSERT_LE(bases.size(), kSegments + 2);
  for (std::uint64_t flipped = 0; flipped < kRandomBits / kShards;) {
    const std::size_t which = random.below(2);
    const std::size_t segment = random.below(bases.size());
    const std::string_view suffix = std::array{kLogSuffix, kLogSuffix, kIndexSuffix, kTimeIndexSuffix}[random.below(4)];
    const std::string path = kRotDirectory + "/t-0/" + segment_file_name(bases[segment], suffix);
    const std::uint64_t bytes = files[which].contains(path) ? files[which].at(path) : 0;
    if (bytes == 0) continue;
    ++flipped;
    const Offset end = segment + 1 < bases.size() ? bases[segment + 1] : kNoEnd;
    const bool whole = random.one_in(100);
    expect_noticed_or_harmless(subjects[which], path, random.below(bytes), std::byte{1} << random.below(8), random.one_in(2),
                               whole ? Offset{0} : bases[segment], whole ? kNoEnd : end);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, RandomBits, testing::Range<std::uint64_t>(1, kShards + 1));

}  // namespace
}  // namespace lungo::test
