#include <lungo/framework/process_core.hpp>

#include <gtest/gtest.h>

#include <lungo/framework/testing.hpp>
#include "tests/framework/sessions.hpp"

namespace process_tests {

TEST(ProcessCore, ASessionEndsThirtyMinutesAfterItsLastEvent) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/a"}).then(SessionStarted{"ada", "/a"});
  script.input(at(10min), Hit{"ada", "/b"}).then();
  script.input(at(40min), Hit{"bob", "/x"}).then(SessionStarted{"bob", "/x"});
  script.input(at(42min), Hit{"bob", "/y"}).then(SessionEnded{"ada", 2});
  EXPECT_EQ(script.open_keys(), 1u);
}

TEST(ProcessCore, ATimerWaitsForTheAllowedLateness) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/a"}).then(SessionStarted{"ada", "/a"});
  script.input(at(30min + 59s), Hit{"bob", "/x"}).then(SessionStarted{"bob", "/x"});
  script.input(at(29min), Hit{"ada", "/late"}).then();
  script.input(at(31min), Hit{"bob", "/y"}).then();
  script.input(at(60min), Hit{"bob", "/z"}).then(SessionEnded{"ada", 2});
}

TEST(ProcessCore, ALateEventJoinsWhatIsOpenAndOtherwiseStartsAnew) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/a"})
      .input(at(25min), Hit{"bob", "/x"})
      .then(SessionStarted{"ada", "/a"}, SessionStarted{"bob", "/x"});
  script.input(at(2min), Hit{"ada", "/late"}).then();
  EXPECT_EQ(script.counts().late, 1);
  script.input(at(20min), Hit{"eve", "/late"}).then(SessionStarted{"eve", "/late"});
  EXPECT_EQ(script.counts().late, 2);
}

TEST(ProcessCore, TimersFireInTheOrderOfTheirDueTimes) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/"}).input(at(0min + 30s), Hit{"bob", "/"}).input(at(0min + 10s), Hit{"eve", "/"});
  script.input(at(0min + 50s), Hit{"ada", "/"});
  script.then(SessionStarted{"ada", "/"}, SessionStarted{"bob", "/"}, SessionStarted{"eve", "/"});
  script.input(at(120min), Hit{"zoe", "/"});
  script.then(SessionEnded{"eve", 1}, SessionEnded{"bob", 1}, SessionEnded{"ada", 2}, SessionStarted{"zoe", "/"});
}

TEST(ProcessCore, LanesHaveTheirOwnStatesAndWatermarks) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/old"}, "Input-1", "import").then(SessionStarted{"ada", "/old"});
  script.input(at(500min), Hit{"ada", "/new"}).then(SessionStarted{"ada", "/new"});
  script.input(at(10min), Hit{"ada", "/old2"}, "Input-1", "import").then();
  script.clock(at(10'000min)).then(SessionEnded{"ada", 1});
  EXPECT_EQ(script.open_keys(), 1u) << "the import's session stays open: no clock moves it";
}

TEST(ProcessCore, TheClockEndsWhatNobodyContinues) {
  test::ProcessScript<Sessions> script;
  script.input(at(0min), Hit{"ada", "/a"}).then(SessionStarted{"ada", "/a"});
  script.clock(at(30min)).then();
  script.clock(at(31min)).then(SessionEnded{"ada", 1});
  script.clock(at(99min)).then();
  EXPECT_EQ(script.open_keys(), 0u);
}

TEST(ProcessCore, EmittingWhatIsNotDeclaredIsAnError) {
  test::ProcessScript<Undeclared> script;
  EXPECT_THROW(script.input(at(0min), Hit{"ada", "/a"}), test::failed);
}

TEST(ProcessCore, MemoryFollowsOpenStatesOnly) {
  test::ProcessScript<Sessions> script;
  for (int visitor = 0; visitor < 100'000; ++visitor) {
    script.input(at(std::chrono::seconds{visitor}), Hit{"v" + std::to_string(visitor), "/"});
  }
  EXPECT_LE(script.open_keys(), 1900u);  // 31 minutes of one visitor a second
}

TEST(ProcessCore, ACheckpointGoesOnExactly) {
  const ProcessFoldOf<Sessions> fold;
  const ProcessCoreOptions options{"Sessions", PartitionId{3}};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random{seed};
    std::vector<std::pair<Envelope, Hit>> inputs;
    for (std::int64_t offset = 0; offset < 400; ++offset) {
      Envelope envelope;
      envelope.stream = "Input-1";
      envelope.offset = Offset{offset};
      envelope.time = at(std::chrono::seconds{offset * 30 + static_cast<std::int64_t>(random() % 120)});
      envelope.lane = random() % 4 == 0 ? "import" : "";
      inputs.emplace_back(envelope, Hit{"v" + std::to_string(random() % 20), "/"});
    }
    const auto feed = [&](ProcessCore& core, std::size_t from, std::size_t to) {
      ProcessEffects effects;
      for (std::size_t at = from; at < to; ++at) EXPECT_TRUE(core.on_input(inputs[at].first, 0, &inputs[at].second, effects));
      std::string all;
      for (const EncodedRecords& batch : effects.batches) {
        for (std::size_t index = 0; index < batch.count(); ++index) all += as_text(batch.body(index));
      }
      return all;
    };
    const std::size_t cut = random() % inputs.size();
    ProcessCore whole{fold, options};
    feed(whole, 0, cut);
    Bytes saved;
    whole.save(saved);
    ProcessCore resumed{fold, options};
    ASSERT_TRUE(resumed.load(saved, shape_of<Sessions::State>()));
    EXPECT_EQ(feed(whole, cut, inputs.size()), feed(resumed, cut, inputs.size())) << "seed " << seed;
    Bytes end_of_whole;
    Bytes end_of_resumed;
    whole.save(end_of_whole);
    resumed.save(end_of_resumed);
    EXPECT_EQ(whole.open_keys(), resumed.open_keys()) << "seed " << seed;
  }
}

/// Its timer is never due.
struct Never {
  using Events = lungo::events<Hit>;
  struct Ring {};
  using Timers = lungo::events<Ring>;
  using Emits = lungo::events<SessionStarted>;
  struct State {
    std::int32_t hits = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit&) { ++s.hits; }
  static void react(const State&, const Hit& hit, Actions& actions) {
    if (hit.page == "/at") actions.at<Ring>(Timestamp::max());
    if (hit.page == "/after") actions.after<Ring>(std::chrono::milliseconds::max());
  }
  static void react(const State&, const Ring&, Actions& actions) { actions.emit(SessionStarted{"never", ""}); }
};

TEST(ProcessCore, TimesAtTheEndsOfTheRangeOverflowNothing) {
  test::ProcessScript<Never> script;
  script.input(at(0min), Hit{"ada", "/at"}).input(at(1min), Hit{"bob", "/after"});
  script.input(Timestamp::min(), Hit{"eve", "/"}).input(Timestamp::min() + 1s, Hit{"eve", "/"});
  script.clock(at(99min)).then();
  EXPECT_EQ(script.counts().late, 2);
  EXPECT_EQ(script.counts().fired, 0);
}

TEST(ProcessCore, TimersDueTogetherFireAsRoomAllows) {
  const ProcessFoldOf<Sessions> fold;
  const auto run = [&](std::size_t pending_bytes_max, bool by_clock) {
    ProcessCore core{fold, {"Sessions", PartitionId{0}, 60s, pending_bytes_max}};
    ProcessEffects effects;
    std::string all;
    std::int64_t calls = 0;
    const auto drain = [&] {
      EXPECT_LE(effects.size_bytes(), pending_bytes_max + 1000);
      for (const EncodedRecords& batch : effects.batches) {
        for (std::size_t index = 0; index < batch.count(); ++index) all += as_text(batch.body(index));
      }
      effects = {};
      ++calls;
    };
    Envelope envelope;
    envelope.stream = "Input-1";
    const auto input = [&](const Hit& hit, std::string_view lane = {}) {
      envelope.lane = lane;
      do {
        EXPECT_TRUE(core.on_input(envelope, 0, &hit, effects));
        drain();
      } while (core.is_firing());
      envelope.offset = envelope.offset.next();
    };
    envelope.time = at(0min);
    for (int visitor = 0; visitor < 500; ++visitor) input(Hit{"v" + std::to_string(visitor), "/"});
    if (by_clock) {
      EXPECT_TRUE(core.on_clock(at(60min), envelope.offset, effects));
      drain();
      input(Hit{"imported", "/"}, "import");  // another lane's input waits for what is left
    } else {
      envelope.time = at(60min);
      input(Hit{"last", "/"});
    }
    EXPECT_EQ(core.counts().inputs, 501);
    EXPECT_EQ(core.counts().fired, 500);
    Bytes saved;
    core.save(saved);
    return std::tuple{all, saved, calls};
  };
  for (const bool by_clock : {false, true}) {
    const auto [whole, whole_saved, few] = run(std::numeric_limits<std::size_t>::max() / 2, by_clock);
    const auto [parts, parts_saved, many] = run(1000, by_clock);
    EXPECT_EQ(whole, parts);
    EXPECT_EQ(whole_saved, parts_saved);
    EXPECT_GT(many, few + 20);
  }
}

TEST(ProcessCore, AnInputThatIsPassedOverLeavesItsTimeOnly) {
  const ProcessFoldOf<Sessions> fold;
  for (const std::size_t pending_bytes_max : {std::size_t{1} << 20, std::size_t{1}}) {
    ProcessCore core{fold, {"Sessions", PartitionId{0}, 60s, pending_bytes_max}};
    ProcessEffects effects;
    Envelope envelope;
    envelope.stream = "Input-1";
    envelope.time = at(0min);
    for (const std::string_view visitor : {"ada", "bob"}) {
      const Hit hit{std::string(visitor), "/"};
      ASSERT_TRUE(core.on_input(envelope, 0, &hit, effects));
      envelope.offset = envelope.offset.next();
    }
    envelope.time = at(60min);
    do {
      effects = {};
      ASSERT_TRUE(core.pass_over(envelope, effects));
    } while (core.is_firing());
    EXPECT_EQ(core.counts().fired, 2);
    EXPECT_EQ(core.counts().inputs, 2);
    EXPECT_EQ(core.open_keys(), 0u);
    EXPECT_EQ(core.watermark({}), at(59min));
  }
}

/// Keeps nothing: every key is done at once.
struct Echo {
  using Events = lungo::events<Hit>;
  using Emits = lungo::events<SessionStarted>;
  struct State {
    std::int32_t pages = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  static std::string key(const Envelope&, const Hit& hit) { return hit.visitor; }
  static void evolve(State& s, const Hit& hit) { s.pages = hit.page == "/stays" ? 1 : 0; }
};

class ManyLanes : public testing::Test {
 protected:
  void input(ProcessCore& core, const std::string& lane, std::chrono::milliseconds time, const std::string& page = "/") {
    Envelope envelope;
    envelope.stream = "Input-1";
    envelope.lane = lane;
    envelope.time = at(time);
    const Hit hit{"ada", page};
    ProcessEffects effects;
    ASSERT_TRUE(core.on_input(envelope, 0, &hit, effects));
  }
  static Bytes saved(const ProcessCore& core) {
    Bytes bytes;
    core.save(bytes);
    return bytes;
  }

  const ProcessFoldOf<Echo> fold;
  const ProcessCoreOptions options{"Echo", PartitionId{0}};
};

TEST_F(ManyLanes, AnImportThatGoesOnStillKnowsWhatIsLate) {
  ProcessCore core{fold, options};
  input(core, "import", 100min);
  EXPECT_EQ(core.open_keys(), 0u);
  ProcessCore resumed{fold, options};
  ASSERT_TRUE(resumed.load(saved(core), shape_of<Echo::State>()));
  input(resumed, "import", 50min);
  EXPECT_EQ(resumed.counts().late, 1);
  EXPECT_EQ(resumed.watermark("import"), at(99min));
}

TEST_F(ManyLanes, OfThoseWithNothingOpenTheLatestUsedAreKept) {
  ProcessCore core{fold, options};
  input(core, "open", 1min, "/stays");
  for (int lane = 0; lane < 1000; ++lane) {
    input(core, "import-" + std::to_string(lane), 100min);
    input(core, "import-0", 100min);
  }
  EXPECT_LT(saved(core).size(), 5000u);
  EXPECT_EQ(core.open_keys(), 1u);
  EXPECT_TRUE(core.watermark("open")) << "it has an open key";
  EXPECT_TRUE(core.watermark("import-0")) << "it is used";
  EXPECT_TRUE(core.watermark("import-999"));
  EXPECT_TRUE(core.watermark("import-920"));
  EXPECT_FALSE(core.watermark("import-1"));
  input(core, "open", 2min, "/");
  EXPECT_EQ(core.open_keys(), 0u);
}

TEST_F(ManyLanes, ACheckpointForgetsTheSameOnes) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    std::mt19937_64 random{seed};
    const auto feed = [&](std::initializer_list<ProcessCore*> cores) {
      for (int count = 0; count < 2000; ++count) {
        const std::string lane = random() % 5 == 0 ? "" : "import-" + std::to_string(random() % 250);
        const std::string page = random() % 8 == 0 ? "/stays" : "/";
        const std::chrono::seconds time{random() % 10'000};
        for (ProcessCore* core : cores) input(*core, lane, time, page);
      }
    };
    ProcessCore whole{fold, options};
    feed({&whole});
    ProcessCore resumed{fold, options};
    ASSERT_TRUE(resumed.load(saved(whole), shape_of<Echo::State>()));
    const std::int64_t late = whole.counts().late;
    feed({&whole, &resumed});
    EXPECT_EQ(saved(whole), saved(resumed)) << "seed " << seed;
    EXPECT_EQ(whole.counts().late - late, resumed.counts().late) << "seed " << seed;
  }
}

}  // namespace process_tests
