// Goal: a mirror goes on with its source whatever that does: its start moves, it goes back, it is another one.
#include <gtest/gtest.h>

#include "tests/log/mirror_fixture.hpp"

namespace lungo::test {
namespace {

// ---- the source's start ----

TEST_F(Mirror, ItsStartFollowsTheSources) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10);
  const auto segments = [this] {
    const std::vector<std::string> all = names(kMirrorDirectory + "/events-0");
    return std::ranges::count_if(all, [](const std::string& name) { return name.ends_with(".log"); });
  };
  const auto segments_before = segments();
  for (const std::int64_t start : {3, 140, 141, 200}) {
    source_.delete_below(start);
    EXPECT_EQ(mirror_->start_at(kEvents, Offset{start}).value(), Offset{start});
    expect_equal();
  }
  EXPECT_EQ(mirror_->start_at(kEvents, Offset{5}).value(), Offset{200}) << "never back";
  EXPECT_EQ(reads().read(kEvents, Offset{199}, 1).error(), Errc::offset_out_of_range);
  EXPECT_EQ(reads().read_key(kEvents, "key 1", Offset{199}, Offset{source_.end}, 10).error(), Errc::history_trimmed);
  machine_->executor.run_for(std::chrono::seconds{1});
  EXPECT_LT(segments(), segments_before);
  expect_equal();

  const Result<Offset> above = mirror_->start_at(kEvents, Offset{source_.end + 1});
  EXPECT_EQ(above.error(), Errc::offset_out_of_range);
  EXPECT_EQ(above.error().offset(), Offset{source_.end});
  source_.delete_below(source_.end);
  EXPECT_EQ(mirror_->start_at(kEvents, Offset{source_.end}).value(), Offset{source_.end});
  expect_equal();
  EXPECT_EQ(mirror_->last_record(kEvents).value(), std::nullopt);
  open();
  expect_equal();
  grow_source(20);
  fill(*mirror_, kEvents, source_);
  expect_equal();
}

// ---- emptied ----

TEST_F(Mirror, EmptiedItBeginsWhereItIsToldAndIsFilledAgain) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_);
  for (const std::int64_t start : {1000, 1000, 40, 0}) {
    SCOPED_TRACE(start);
    source_ = {.records = {}, .start = start, .end = start};
    incarnation_ += "x";
    int told = 0;
    const Offset end = mirror_->end(kEvents).value();
    const auto token = reads().notify_above(kEvents, end, [&told] { ++told; });
    ASSERT_TRUE(mirror_->empty_from(kEvents, Offset{start}));
    EXPECT_EQ(told, start > end.value() ? 1 : 0);
    expect_equal();
    EXPECT_EQ(mirror_->last_record(kEvents).value(), std::nullopt);
    open();
    expect_equal();
    grow_source(100);
    fill(*mirror_, kEvents, source_);
    expect_equal();
    open();
    expect_equal();
  }
  machine_->executor.run_for(std::chrono::seconds{1});
  for (const std::string& name : names(kMirrorDirectory)) EXPECT_EQ(name.find("-delete"), std::string::npos) << name;
}

// Who has the records of before at hand goes on with them.
TEST_F(Mirror, AReadThatIsUnderWayOutlivesThat) {
  open_with_topic();
  grow_source(50);
  fill(*mirror_, kEvents, source_, 100);
  const Fetched before = reads().read(kEvents, Offset{0}, 10'000).value();
  ASSERT_TRUE(mirror_->empty_from(kEvents, Offset{0}));
  RecordCursor cursor = before.records();
  std::size_t records = 0;
  while (cursor.next() != nullptr) ++records;
  EXPECT_EQ(records, source_.records.size());
}

TEST_F(Mirror, DiffersFromItsSourceAndIsMadeAnew) {
  open_with_topic();
  grow_source(120);
  fill(*mirror_, kEvents, source_);
  ASSERT_TRUE(agrees(*mirror_, kEvents, source_));
  const std::int64_t end = source_.end;
  recreate_source();  // behind our back: the same offsets, other values
  while (source_.end < end) grow_source(1);
  EXPECT_FALSE(agrees(*mirror_, kEvents, source_));
  fill(*mirror_, kEvents, source_);
  expect_equal();
  source_.delete_below(source_.end + 500);  // all that there was, before we came by
  EXPECT_FALSE(agrees(*mirror_, kEvents, source_));
  grow_source(10);
  fill(*mirror_, kEvents, source_);
  expect_equal();
}

TEST_F(Mirror, TheLastRecordIsLookedForBehindBatchesWithoutAny) {
  open_with_topic();
  EXPECT_EQ(mirror_->last_record(kEvents).value(), std::nullopt);
  grow_source(3);
  fill(*mirror_, kEvents, source_);
  const Offset last{source_.records.rbegin()->first};
  for (int stretch = 0; stretch < 30; ++stretch) {
    source_.skip(7);
    fill(*mirror_, kEvents, source_, 7);
  }
  EXPECT_EQ(mirror_->last_record(kEvents).value(), source_.proof_at(last));
  open();
  EXPECT_EQ(mirror_->last_record(kEvents).value(), source_.proof_at(last));
  source_.delete_below(last.value() + 1);
  ASSERT_TRUE(mirror_->start_at(kEvents, Offset{source_.start}));
  EXPECT_EQ(mirror_->last_record(kEvents).value(), std::nullopt);
}

// ---- cut ----

TEST_F(Mirror, CutItEndsWithAWholeBatchAndGoesOn) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10);
  const Offset end{source_.end};
  EXPECT_EQ(mirror_->cut(kEvents, end).value(), end);
  EXPECT_EQ(mirror_->cut(kEvents, end.plus(100)).value(), end);
  expect_equal();
  for (const std::int64_t offset : {330, 329, 205, 200, 7}) {
    SCOPED_TRACE(offset);
    const Offset border = mirror_->cut(kEvents, Offset{offset}).value();
    EXPECT_EQ(border.value(), offset / 10 * 10);
    EXPECT_EQ(mirror_->end(kEvents).value(), border);
    EXPECT_EQ(reads().ends(kEvents).value().committed, border);
    EXPECT_EQ(shown_records(reads(), kEvents), source_.records_in(0, border.value()));
    EXPECT_EQ(reads().read(kEvents, border.plus(1), 10).error(), Errc::offset_out_of_range);
    if (offset % 2 == 0) open();
    EXPECT_EQ(mirror_->end(kEvents).value(), border);
    fill(*mirror_, kEvents, source_, 10);
    expect_equal();
  }
}

// Below what a clean stop has noted as synced: what is left is no damage.
TEST_F(Mirror, ACutOutlivesAPowerCut) {
  open_with_topic();
  grow_source(300);
  fill(*mirror_, kEvents, source_, 10);
  open();
  EXPECT_EQ(mirror_->cut(kEvents, Offset{204}).value(), Offset{200});
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    cut_power(seed);
    open();
    EXPECT_EQ(mirror_->end(kEvents).value(), Offset{200});
    EXPECT_EQ(shown_records(reads(), kEvents), source_.records_in(0, 200));
  }
  fill(*mirror_, kEvents, source_, 10);
  expect_equal();
}

TEST_F(Mirror, ACutBelowItsFirstBatchEmptiesIt) {
  open_with_topic();
  grow_source(100);
  fill(*mirror_, kEvents, source_, 10);
  source_.delete_below(33);
  ASSERT_TRUE(mirror_->start_at(kEvents, Offset{33}));
  EXPECT_EQ(mirror_->cut(kEvents, Offset{38}).value(), Offset{33});  // inside of the first batch
  EXPECT_EQ(reads().ends(kEvents).value().start, Offset{33});
  fill(*mirror_, kEvents, source_, 10);
  expect_equal();
  EXPECT_EQ(mirror_->cut(kEvents, Offset{0}).value(), Offset{33});
  EXPECT_EQ(mirror_->cut(kEvents, Offset{0}).value(), Offset{33});
  open();
  EXPECT_EQ(mirror_->end(kEvents).value(), Offset{33});
  fill(*mirror_, kEvents, source_, 10);
  expect_equal();
}

}  // namespace
}  // namespace lungo::test
