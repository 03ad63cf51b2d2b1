// What the framework keeps in the log beside the events, in every home: what was parked, timers, and deciders' snapshots.
#include "tests/contract/contract.hpp"

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/framework/snapshots.hpp>
#include <lungo/framework/subscription.hpp>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

using Numbers = std::vector<std::int64_t>;

constexpr Timestamp kMorning{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
const ErrorPolicy kTriedTwice{.retry = {.attempts = 2, .delay = 1ms}};

struct Noted {
  std::int64_t number = 0;
};
struct Reminded {
  std::int64_t number = 0;
};

/// Repeats each note, at once and half an hour later, and throws for one.
struct Reminders {
  using Events = lungo::events<Noted>;
  static constexpr std::string_view output_topic = "reminders";
  struct Due {
    std::int64_t number = 0;
  };
  using Timers = lungo::events<Due>;
  using Emits = lungo::events<Reminded>;
  struct State {};
  static inline std::atomic<std::int64_t> unfit{0};
  static std::int64_t key(const Envelope&, const Noted& e) { return e.number; }
  static void evolve(State&, const Noted&) {}
  static void react(const State&, const Noted& e, Actions& actions) {
    if (e.number == unfit) throw std::runtime_error("no reminder of it");
    actions.emit(Reminded{e.number}).after(30min, Due{e.number});
  }
  static void react(const State&, const Due& due, Actions& actions) { actions.emit(Reminded{due.number}).close(); }
};

/// All events lie in one partition, so that it is known what lies behind one of them.
class KeptBesideTheEvents : public Contract {
 protected:
  KeptBesideTheEvents() { Reminders::unfit = 0; }
  template <class E>
  void append_event(const E& event, Timestamp time = kMorning) {
    EventStore store{log};
    store.stream_topic("events", 1).value();
    lungo::AppendOptions options;
    options.meta.time = time;
    store.append("events", StreamId("Shop", "1"), event, options).value();
  }
  /// Of the topic's events of type E from that offset on.
  template <class E>
  Numbers numbers_in(std::string_view topic_name, Offset from = Offset{0}) {
    EventStore store{log};
    EventDecoder decoder{store.shapes()};
    decoder.add<E>();
    const TopicInfo topic = log->topic(topic_name).value();
    PartitionReader reader{*log, topic, {topic.id, PartitionId{0}, from, kNoEpoch}};
    Numbers numbers;
    while (const Envelope* envelope = reader.next().value()) {
      const Decoded decoded = decoder.decode(*envelope).value();
      if (decoded.type == 0) numbers.push_back(static_cast<const E*>(decoded.event)->number);
    }
    return numbers;
  }
  /// What there is when the process has run at that time of the world until so many timers have fired.
  Numbers reminders_at(Timestamp time, std::int64_t fired) {
    ProcessOptions options{.lateness = 0ms, .errors = kTriedTwice, .live_time = [time] { return std::optional{time}; }};
    Process<Reminders> reminders{EventStore{log}, std::move(options)};
    reminders.start().value();
    reminders.catch_up(20s).value();
    wait_for([&] { return reminders.status().counts.fired >= fired; });
    reminders.stop().value();
    return numbers_in<Reminded>(Reminders::output_topic);
  }
  Snapshot checkpoint() { return Snapshots{EventStore{log}}.load(kCheckpoint).value().value(); }
  /// As if the process had ended before it could write another: what came behind it is handled again.
  void go_back_to(const Snapshot& checkpoint) {
    Snapshots{EventStore{log}}.save_wait(kCheckpoint, kEvents, checkpoint).value();
  }

 private:
  static constexpr std::string_view kCheckpoint = "process/Reminders/events/0";
};

// ---- parked events ----

class ParkedEvents : public KeptBesideTheEvents {
 protected:
  /// Read again from where they are said to lie.
  Numbers parked_by(std::string_view reader) {
    EventStore store{log};
    Numbers numbers;
    for (const ParkedEvent& parked : parked_events(store, reader).value()) {
      EXPECT_EQ(static_cast<Errc>(parked.error), Errc::handler_failed);
      numbers.push_back(numbers_in<Noted>(parked.topic, Offset{parked.offset}).at(0));
    }
    return numbers;
  }
  /// What a subscription handles that throws for one number.
  Numbers handled_but(std::int64_t unfit) {
    Numbers handled;
    Subscription letters{EventStore{log}, "letters", {.errors = kTriedTwice}};
    letters.on<Noted>([&](const Envelope&, const Noted& e) {
      if (e.number == unfit) throw std::runtime_error("no letter about it");
      handled.push_back(e.number);
    });
    letters.start().value();
    letters.catch_up(20s).value();
    letters.stop().value();
    return handled;
  }
};

TEST_P(ParkedEvents, OfASubscriptionStayAsideAndAreFoundAfterARestart) {
  for (const int number : {1, 2, 3, 4, 5}) append_event(Noted{number});
  EXPECT_EQ(handled_but(3), (Numbers{1, 2, 4, 5}));
  home->restart(log);
  append_event(Noted{6});
  EXPECT_EQ(handled_but(0), Numbers{6});
  EXPECT_EQ(parked_by("letters"), Numbers{3});
}

TEST_P(ParkedEvents, OfAProcessStayAsideAndAreFoundAfterARestart) {
  append_event(Noted{1});
  EXPECT_EQ(reminders_at(kMorning, 0), Numbers{1});
  const Snapshot before = checkpoint();
  for (const int number : {2, 3, 4}) append_event(Noted{number});
  Reminders::unfit = 3;
  EXPECT_EQ(reminders_at(kMorning, 0), (Numbers{1, 2, 4}));
  go_back_to(before);
  home->restart(log);
  Reminders::unfit = 0;
  append_event(Noted{5});
  EXPECT_EQ(reminders_at(kMorning, 0), (Numbers{1, 2, 4, 5}));
  EXPECT_EQ(parked_by("Reminders"), Numbers{3});
}

INSTANTIATE_TEST_SUITE_P(Homes, ParkedEvents, testing::ValuesIn(home_names()), name_of_home);

// ---- timers and snapshots ----

using Timers = KeptBesideTheEvents;

TEST_P(Timers, FireOnceOverRestarts) {
  for (const int number : {1, 2}) append_event(Noted{number});
  EXPECT_EQ(reminders_at(kMorning + 30min - 1ms, 0), (Numbers{1, 2})) << "none fires before its time";
  const Snapshot unfired = checkpoint();
  home->restart(log);
  EXPECT_EQ(reminders_at(kMorning + 30min, 2), (Numbers{1, 2, 1, 2}));
  go_back_to(unfired);
  home->restart(log);
  append_event(Noted{3}, kMorning + 1h);
  EXPECT_EQ(reminders_at(kMorning + 2h, 3), (Numbers{1, 2, 1, 2, 3, 3}));
}

INSTANTIATE_TEST_SUITE_P(Homes, Timers, testing::ValuesIn(home_names()), name_of_home);

struct Note {
  std::int64_t number = 0;
};
struct Sum {
  static constexpr std::string_view category = "Sum";
  using Events = lungo::events<Noted>;
  struct State {
    std::int64_t sum = 0;
  };
  static void evolve(State& s, const Noted& e) { s.sum += e.number; }
  static Noted decide(const State&, const Note& c) { return {c.number}; }
};
struct SavedSum : Sum {
  static constexpr int snapshot_every = 10;
};

class DeciderSnapshots : public KeptBesideTheEvents {
 protected:
  template <class Decider>
  void add_up(std::int64_t begin, std::int64_t end) {
    Aggregates<Decider> sums{EventStore{log}, 1};
    for (std::int64_t number = begin; number < end; ++number) sums.execute("1", Note{number}).value();
  }
  /// Up to where the newest snapshot goes, of all that were asked for until now.
  Offset saved_end() {
    Snapshots snapshots{EventStore{log}};
    snapshots.save_wait("behind those that are on their way", kEvents, {}).value();
    return snapshots.load("decider/Sum/Sum-1").value().value().position.offset;
  }
};

TEST_P(DeciderSnapshots, SpareTheEventsBeforeThemAfterARestart) {
  add_up<SavedSum>(0, 25);
  const Offset saved = saved_end();
  const auto expect_sum = [&](std::int64_t sum) {
    const auto loaded = Aggregates<SavedSum>{EventStore{log}}.load("1").value();
    EXPECT_EQ(loaded.state.sum, sum);
    EXPECT_EQ(loaded.events, std::ssize(numbers_in<Noted>("events", saved))) << "no more is read than lies behind it";
    EXPECT_LT(loaded.events, 10);
  };
  home->restart(log);
  expect_sum(25 * 24 / 2);
  add_up<Sum>(25, 28);  // which knows of no snapshots
  home->restart(log);
  expect_sum(28 * 27 / 2);
}

INSTANTIATE_TEST_SUITE_P(Homes, DeciderSnapshots, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
