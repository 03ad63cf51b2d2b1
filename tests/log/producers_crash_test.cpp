// Goal: whatever a partition with idempotent producers is doing when its process is killed or the power fails, at whatever
// byte, and again while it recovers: a producer that sends its last batch again is answered with the offsets that it has, the
// next one is written once, one too far ahead is refused; and a snapshot that passes its check tells the truth about the
// records below it. Method: as storage_crash_test.cpp: a script on the simulated disk, and CrashStates around each of its
// steps.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "producer_batches.hpp"
#include "producer_snapshot.hpp"
#include "segment.hpp"
#include "segment_directory.hpp"
#include "tests/support/crash_states.hpp"
#include "tests/support/quiet_log.hpp"

namespace lungo::test {
namespace {

constexpr std::string_view kScript = "aaasaopakaasoaaxatadsgaaocaaasokaPataosadsgaacaxoaatspagaocaasdsgaxaoaPacaa";
constexpr int kProducers = 3;

struct Sent {
  std::int64_t producer = 0;  // 0: none
  std::int32_t sequence = 0;
  int count = 0;
  Offset base;

  [[nodiscard]] Offset end() const { return base.plus(count); }
  [[nodiscard]] Produced batch() const { return produced_by(producer, sequence, count); }
};

struct Truth {
  std::vector<Sent> log;      // batches that may be there, in order
  std::int64_t promised = 0;  // up to where they have to be
  std::int64_t recovery_point = 0;
  std::int64_t start = 0;
  std::optional<CleanEnd> clean;

  [[nodiscard]] std::int64_t end() const { return log.empty() ? 0 : log.back().end().value(); }
  void cut(std::int64_t to) {
    std::erase_if(log, [to](const Sent& sent) { return sent.end().value() > to; });
    promised = std::min(promised, to);
  }
  /// The last one of the producer's that ends at or below `end`.
  [[nodiscard]] std::optional<Sent> last_of(std::int64_t producer, std::int64_t end) const {
    std::optional<Sent> last;
    for (const Sent& sent : log) {
      if (sent.producer == producer && sent.end().value() <= end) last = sent;
    }
    return last;
  }
};

class Script {
 public:
  Script(std::uint64_t seed, CrashStates& states)
      : random_(seed), keeps_recovery_point_(seed % 3 != 0), states_(states), fixture_(seed) {
    fixture_.options.segment_bytes = 700;
  }

  void run() {
    states_.watch(
        fixture_.simulation->disk, [this] { return version_; },
        [this](std::unique_ptr<SimDisk> found, const auto& situation) { check(std::move(found), situation); });
    open();
    for (const char step : kScript) {
      if (testing::Test::HasFailure()) break;
      operate(step);
      ++version_;
    }
    CrashStates::unwatch(fixture_.simulation->disk);
  }

 private:
  void operate(char step) {
    switch (step) {
      case 'a':
        return produce();
      case 's':
        ASSERT_TRUE(log_->sync());
        truth_.promised = truth_.end();
        return;
      case 'k':
        if (keeps_recovery_point_) truth_.recovery_point = truth_.promised;
        return;
      case 't':
        return truncate();
      case 'd':
        return delete_some();
      case 'g':
        ASSERT_TRUE(log_->remove_trimmed());
        return;
      case 'o':
        ASSERT_TRUE(log_->roll());
        return;
      case 'c':
        truth_.clean = log_->close().value();
        truth_.promised = truth_.end();
        ++version_;
        return open();
      case 'x':
        return open();
      case 'p':
        truth_.log.push_back({.count = 1, .base = Offset{truth_.end()}});
        ++version_;
        ASSERT_TRUE(append(*log_, std::vector<TestRecord>{{.key = "plain", .value = "record"}}));
        return;
      default:
        log_.reset();
        fixture_.simulation->disk.power_cut(random_.next());
        return open();
    }
  }

  void open() {
    log_.reset();
    log_ = fixture_.opened(truth_.clean, Offset{truth_.recovery_point});
    ASSERT_NE(log_, nullptr);
    truth_.clean.reset();
    ASSERT_GE(log_->written_end().value(), truth_.promised);
    truth_.cut(log_->written_end().value());
    truth_.promised = truth_.end();
    ++version_;
  }

  /// The next batch of one of the producers.
  Sent next_of(std::int64_t producer, const Truth& truth, std::int64_t end, int count) const {
    const std::optional<Sent> last = truth.last_of(producer, end);
    return {.producer = producer, .sequence = last ? last->sequence + last->count : 0, .count = count, .base = Offset{end}};
  }

  void produce() {
    const auto producer = static_cast<std::int64_t>(1 + random_.below(kProducers));
    const Sent sent = next_of(producer, truth_, truth_.end(), static_cast<int>(1 + random_.below(3)));
    truth_.log.push_back(sent);  // before: a crash in the middle may keep it
    ++version_;
    const Result<Appended> appended = append(*log_, sent.batch(), LeaderEpoch{0});
    ASSERT_TRUE(appended) << appended.error();
    ASSERT_EQ(appended->first, sent.base);
    ASSERT_FALSE(appended->repeated);
  }

  void delete_some() {
    const auto most = static_cast<std::uint64_t>(log_->synced_end().value() - truth_.start);
    const std::int64_t start = truth_.start + static_cast<std::int64_t>(random_.one_in(3) ? most : random_.below(most + 1));
    ASSERT_TRUE(log_->keep_producers(Offset{start}));
    ASSERT_TRUE(log_->sync());
    truth_.promised = truth_.end();
    truth_.start = start;
    fixture_.options.start = Offset{start};
    ++version_;
    ASSERT_TRUE(log_->set_start(Offset{start}));
  }

  void truncate() {
    if (truth_.log.empty()) return;
    const Offset border = truth_.log[truth_.log.size() - 1 - random_.below(std::min<std::size_t>(truth_.log.size(), 5))].base;
    if (border.value() < truth_.start) return;
    truth_.promised = std::min(truth_.promised, border.value());
    truth_.recovery_point = std::min(truth_.recovery_point, border.value());
    ++version_;
    const Result<void> cut = log_->truncate_to(border);
    ASSERT_TRUE(cut) << cut.error();
    truth_.cut(border.value());
  }

  void check(std::unique_ptr<SimDisk> disk, const CrashStates::Situation& situation) {
    PartitionFixture found;
    found.options = fixture_.options;
    found.simulation = std::make_unique<Simulation>(1, std::move(disk));
    if (situation.deep) {
      states_.watch_recovery(found.simulation->disk, version_,
                             [this](std::unique_ptr<SimDisk> again, const auto& inside) { check(std::move(again), inside); });
    }
    Result<std::unique_ptr<PartitionLog>> opened = found.open(truth_.clean, Offset{truth_.recovery_point});
    CrashStates::unwatch(found.simulation->disk);
    ASSERT_TRUE(opened) << opened.error();
    const std::int64_t end = (*opened)->written_end().value();
    ASSERT_GE(end, truth_.promised);
    ASSERT_LE(end, truth_.end());
    expect_snapshots_tell_the_truth(found, end);
    expect_producers_known(**opened, end);
    // And the same for what is written now, after a power cut behind its sync.
    Truth after = truth_;
    after.cut(end);
    for (std::int64_t producer = 1; producer <= kProducers; ++producer) {
      const Sent next = next_of(producer, after, after.end(), 2);
      const Result<Appended> appended = append(**opened, next.batch());
      ASSERT_TRUE(appended) << appended.error();
      ASSERT_EQ(appended->first, next.base);
      ASSERT_FALSE(appended->repeated);
      after.log.push_back(next);
      if (producer != 2) continue;
      ASSERT_TRUE((*opened)->roll());
    }
    ASSERT_TRUE((*opened)->sync());
    PartitionFixture last;
    last.options = found.options;
    last.simulation = std::make_unique<Simulation>(1, found.simulation->disk.durable());
    const auto again = last.opened({}, Offset{truth_.recovery_point});
    ASSERT_NE(again, nullptr);
    ASSERT_EQ(again->written_end().value(), after.end());
    for (const Sent& sent : {after.log[after.log.size() - 3], after.log.back()}) {
      const Result<Appended> repeated = append(*again, sent.batch());
      ASSERT_TRUE(repeated) << repeated.error();
      ASSERT_TRUE(repeated->repeated);
      ASSERT_EQ(repeated->first, sent.base);
    }
  }

  void expect_producers_known(PartitionLog& log, std::int64_t end) {
    for (std::int64_t producer = 1; producer <= kProducers; ++producer) {
      const std::optional<Sent> last = truth_.last_of(producer, end);
      if (!last) continue;
      SCOPED_TRACE("producer " + std::to_string(producer) + " sequence " + std::to_string(last->sequence));
      const Result<Appended> repeated = append(log, last->batch());
      ASSERT_TRUE(repeated) << repeated.error();
      ASSERT_TRUE(repeated->repeated);
      ASSERT_EQ(repeated->first, last->base);
      Sent ahead = *last;
      ahead.sequence += last->count + 1;
      const Result<Appended> refused = append(log, ahead.batch());
      ASSERT_FALSE(refused);
      ASSERT_EQ(refused.error(), Errc::out_of_sequence);
    }
    ASSERT_EQ(log.written_end().value(), end);
  }

  void expect_snapshots_tell_the_truth(PartitionFixture& found, std::int64_t end) {
    for (const std::string& name : found.names()) {
      const std::optional<Offset> base = segment_base(name, kSnapshotSuffix);
      if (!base) continue;
      SCOPED_TRACE(name);
      ASSERT_LE(base->value(), end);
      const Bytes bytes = read_file(found.simulation->disk, found.path(name), 1 << 20).value();
      const Result<std::vector<Producer>> producers = parse_producer_snapshot(name, *base, bytes);
      if (!producers) continue;  // torn; it is not believed
      ++snapshots_seen;
      std::map<std::int64_t, ProducedBatch> known;
      for (const Producer& producer : *producers) known[producer.id.value()] = producer.known().back();
      for (std::int64_t producer = 1; producer <= kProducers; ++producer) {
        const std::optional<Sent> last = truth_.last_of(producer, base->value());
        ASSERT_EQ(known.contains(producer), last.has_value());
        if (!last) continue;
        ASSERT_EQ(known[producer].first(), last->base);
        ASSERT_EQ(known[producer].first_sequence(), last->sequence);
      }
    }
  }

 public:
  int snapshots_seen = 0;

 private:
  Random random_;
  const bool keeps_recovery_point_;
  CrashStates& states_;
  PartitionFixture fixture_;
  std::unique_ptr<PartitionLog> log_;
  Truth truth_;
  std::uint64_t version_ = 0;  // of the truth
};

TEST(ProducersCrash, EachIsAnsweredForWhatItHasSentAtAnyByte) {
  const SilentLog quiet;
  const std::uint64_t first = test_seed(1);
  CrashStates states{first, 12'000, {.survivors_per_step = 8, .deep_one_in = 100}};
  int snapshots = 0;
  for (std::uint64_t seed = first; !states.enough(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    Script script{seed, states};
    script.run();
    snapshots += script.snapshots_seen;
  }
  EXPECT_GT(snapshots, 1000);
  std::printf("states: %zu distinct, %zu looked at; snapshots: %d\n", states.distinct(), states.looked_at(), snapshots);
}

}  // namespace
}  // namespace lungo::test
