// What the framework promises in every home: events, deciders, subscriptions and processes over its log, restarts included.
#include "tests/contract/contract.hpp"

#include <lungo/framework/aggregates.hpp>
#include <lungo/framework/partition_reader.hpp>
#include <lungo/framework/process.hpp>
#include <lungo/framework/subscription.hpp>

#include <algorithm>
#include <set>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

struct Counted {
  std::int64_t number = 0;
};

class EventStores : public Contract {
 protected:
  /// As a program that starts now reads them.
  std::vector<std::int64_t> numbers_in(const StreamId& stream) {
    EventStore store{log};
    EventDecoder decoder{store.shapes()};
    decoder.add<Counted>();
    StreamEvents events = store.read_stream("events", stream).value();
    std::vector<std::int64_t> numbers;
    while (const StreamEvent* event = events.next().value()) {
      EXPECT_EQ(event->number, static_cast<std::int64_t>(numbers.size()) + 1);
      numbers.push_back(static_cast<const Counted*>(decoder.decode(event->envelope).value().event)->number);
    }
    return numbers;
  }
  const StreamId one{"Counter", "1"};
  const StreamId two{"Counter", "2"};
};

TEST_P(EventStores, GiveTheEventsOfAStreamInOrderAlsoAfterARestart) {
  {
    EventStore store{log};
    store.stream_topic("events", 4).value();
    for (int i = 0; i < 10; ++i) store.append("events", i % 2 == 0 ? one : two, Counted{i}).value();
  }
  EXPECT_EQ(numbers_in(one), (std::vector<std::int64_t>{0, 2, 4, 6, 8}));
  home->restart(log);
  EXPECT_EQ(numbers_in(two), (std::vector<std::int64_t>{1, 3, 5, 7, 9}));
}

TEST_P(EventStores, RefuseAnAppendWhereTheStreamHasChanged) {
  EventStore store{log};
  store.stream_topic("events", 1).value();
  lungo::AppendOptions as_of_the_beginning;
  as_of_the_beginning.as_of = Offset{0};
  const Commit first = store.append("events", one, Counted{1}, as_of_the_beginning).value();
  store.append("events", two, Counted{2}, as_of_the_beginning).value();
  const Result<Commit> late = store.append("events", one, Counted{3}, as_of_the_beginning);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errc::conflict);
  EXPECT_EQ(late.error().offset(), first.first);
  lungo::AppendOptions as_of_now;
  as_of_now.as_of = first.end;
  EXPECT_TRUE(store.append("events", one, Counted{3}, as_of_now));
  EXPECT_EQ(numbers_in(one), (std::vector<std::int64_t>{1, 3}));
}

TEST_P(EventStores, WriteAnEventOfOneIdOnce) {
  lungo::AppendOptions once;
  once.meta.id = "once";
  {
    EventStore store{log};
    store.stream_topic("events", 4).value();
    const Commit first = store.append("events", one, Counted{1}, once).value();
    const Commit again = store.append("events", one, Counted{1}, once).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.first, first.first);
  }
  home->restart(log);
  EXPECT_TRUE(EventStore{log}.append("events", one, Counted{1}, once)->repeated);
  EXPECT_EQ(numbers_in(one), std::vector<std::int64_t>{1});
}

INSTANTIATE_TEST_SUITE_P(Homes, EventStores, testing::ValuesIn(home_names()), name_of_home);

// ---- deciders ----

struct Count {};
struct CountUpTo {
  std::int64_t most = 0;
};
struct CountBeside {
  std::function<void()>* meanwhile = nullptr;  // called once, between the load and the append
};

struct Counter {
  using Events = lungo::events<Counted>;
  struct State {
    std::int64_t number = 0;
  };
  static void evolve(State& s, const Counted& e) { s.number = e.number; }
  static Counted decide(const State& s, const Count&) { return {s.number + 1}; }
  static Counted decide(const State& s, const CountUpTo& c) {
    if (s.number >= c.most) throw rejected("that is enough");
    return {s.number + 1};
  }
  static Counted decide(const State& s, const CountBeside& c) {
    if (*c.meanwhile) std::exchange(*c.meanwhile, nullptr)();
    return {s.number + 1};
  }
};

class Deciders : public Contract {
 protected:
  std::int64_t number(std::string_view id) { return Aggregates<Counter>{EventStore{log}}.load(id).value().state.number; }
};

TEST_P(Deciders, DecideOnWhatWasDecidedBeforeAlsoAfterARestart) {
  for (int restart = 0; restart < 3; ++restart) {
    {
      Aggregates<Counter> counters{EventStore{log}};
      for (int i = 0; i < 3; ++i) counters.execute("1", Count{}).value();
      counters.execute("2", Count{}).value();
    }
    home->restart(log);
  }
  EXPECT_EQ(number("1"), 9);
  EXPECT_EQ(number("2"), 3);
}

TEST_P(Deciders, DecideAgainWhereAnotherWasFaster) {
  Aggregates<Counter> counters{EventStore{log}};
  Aggregates<Counter> others{EventStore{log}};
  counters.execute("1", Count{}).value();
  std::function<void()> meanwhile = [&] { others.execute("1", Count{}).value(); };
  counters.execute("1", CountBeside{&meanwhile}).value();
  EXPECT_EQ(number("1"), 3);
  meanwhile = [&] { others.execute("1", Count{}).value(); };
  EXPECT_EQ(counters.execute("1", CountBeside{&meanwhile}, {.meta = {}, .since = {}, .attempts = 1}).error(), Errc::conflict);
  EXPECT_EQ(number("1"), 4);
}

TEST_P(Deciders, LoseNoCommandOfManyAtOnce) {
  std::atomic<int> done{0};
  std::atomic<int> failed{0};
  {
    Aggregates<Counter> counters{EventStore{log}};
    for (int i = 0; i < 200; ++i) {
      counters.execute_async({}, std::to_string(i % 5), Count{}, {.meta = {}, .since = {}, .attempts = 1000},
                             [&](const Result<Commit>& commit) {
                               if (!commit) ++failed;
                               ++done;
                               log->ports().executor.notify();
                             });
    }
    wait_for([&] { return done == 200; });
  }
  EXPECT_EQ(failed, 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(number(std::to_string(i)), 40);
}

TEST_P(Deciders, RefuseWithTheirWordsAndWriteNothing) {
  Aggregates<Counter> counters{EventStore{log}};
  counters.execute("1", CountUpTo{1}).value();
  const Result<Commit> refused = counters.execute("1", CountUpTo{1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::rejected);
  EXPECT_EQ(refused.error().text(), "that is enough");
  EXPECT_EQ(number("1"), 1);
}

TEST_P(Deciders, ExecuteACommandOfOneIdOnce) {
  ExecuteOptions once;
  once.meta.id = "once";
  {
    Aggregates<Counter> counters{EventStore{log}};
    counters.execute("1", Count{}, once).value();
    counters.execute("1", Count{}).value();
    EXPECT_TRUE(counters.execute("1", Count{}, once)->repeated);
  }
  home->restart(log);
  EXPECT_TRUE(Aggregates<Counter>{EventStore{log}}.execute("1", Count{}, once)->repeated);
  EXPECT_EQ(number("1"), 2);
}

INSTANTIATE_TEST_SUITE_P(Homes, Deciders, testing::ValuesIn(home_names()), name_of_home);

// ---- subscriptions ----

class Subscriptions : public Contract {
 protected:
  void append_numbers(int from, int to) {
    EventStore store{log};
    store.stream_topic("events", 4).value();
    EventBatch batch = store.batch("events").value();
    for (int number = from; number < to; ++number) {
      batch.add(StreamId("Counter", std::to_string(number % 17)), Counted{number}).value();
    }
    store.append_wait(std::move(batch)).value();
  }
  std::unique_ptr<Subscription> start() {
    auto subscription = std::make_unique<Subscription>(EventStore{log}, "mails");
    subscription->on<Counted>([this](const Envelope&, const Counted& e) { handled.insert(e.number); });
    subscription->start().value();
    return subscription;
  }
  void expect_each_once(std::size_t count) {
    EXPECT_EQ(handled.size(), count);
    EXPECT_EQ(std::set<std::int64_t>(handled.begin(), handled.end()).size(), count);
  }
  std::multiset<std::int64_t> handled;  // on the subscription's thread, and here when it has caught up
};

TEST_P(Subscriptions, HandleWhatIsThereAndWhatComes) {
  append_numbers(0, 100);
  const auto mails = start();
  ASSERT_TRUE(mails->catch_up(20s));
  append_numbers(100, 110);
  ASSERT_TRUE(mails->catch_up(20s));
  expect_each_once(110);
}

TEST_P(Subscriptions, GoOnWhereTheyStoppedAlsoAfterARestart) {
  append_numbers(0, 100);
  {
    const auto mails = start();
    ASSERT_TRUE(mails->catch_up(20s));
    ASSERT_TRUE(mails->stop());
  }
  home->restart(log);
  append_numbers(100, 150);
  const auto mails = start();
  ASSERT_TRUE(mails->catch_up(20s));
  expect_each_once(150);
}

INSTANTIATE_TEST_SUITE_P(Homes, Subscriptions, testing::ValuesIn(home_names()), name_of_home);

// ---- processes ----

struct Answered {
  std::int64_t number = 0;
};

/// Answers each number that is counted.
struct Answers {
  using Events = lungo::events<Counted>;
  static constexpr std::string_view output_topic = "answers";
  using Emits = lungo::events<Answered>;
  struct State {
    std::int64_t numbers = 0;
  };
  static std::string key(const Envelope& envelope, const Counted&) { return std::string(envelope.stream); }
  static void evolve(State& s, const Counted&) { ++s.numbers; }
  static void react(const State&, const Counted& e, Actions& actions) { actions.emit(Answered{e.number}); }
};

class Processes : public Subscriptions {
 protected:
  std::vector<std::int64_t> answers() {
    EventStore store{log};
    EventDecoder decoder{store.shapes()};
    decoder.add<Answered>();
    const TopicInfo topic = log->topic(Answers::output_topic).value();
    std::vector<std::int64_t> numbers;
    for (std::int32_t partition = 0; partition < topic.spec.partitions; ++partition) {
      PartitionReader reader{*log, topic, {topic.id, PartitionId{partition}, Offset{0}, kNoEpoch}};
      while (const Envelope* envelope = reader.next().value()) {
        if (envelope->type != event_name<Answered>()) continue;
        numbers.push_back(static_cast<const Answered*>(decoder.decode(*envelope).value().event)->number);
      }
    }
    std::ranges::sort(numbers);
    return numbers;
  }
  void run(bool stop) {
    Process<Answers> process{EventStore{log}};
    ASSERT_TRUE(process.start());
    const Result<void> caught_up = process.catch_up(20s);
    ASSERT_TRUE(caught_up) << caught_up.error();
    if (stop) {
      ASSERT_TRUE(process.stop());
    }
  }
};

TEST_P(Processes, AnswerEachInputOnceOverRestarts) {
  std::vector<std::int64_t> expected;
  for (int round = 0; round < 4; ++round) {
    append_numbers(round * 50, round * 50 + 50);
    for (int number = round * 50; number < round * 50 + 50; ++number) expected.push_back(number);
    run(round % 2 == 0);
    EXPECT_EQ(answers(), expected);
    home->restart(log);
  }
  run(true);
  EXPECT_EQ(answers(), expected);
}

INSTANTIATE_TEST_SUITE_P(Homes, Processes, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
