// Commands that are executed by another process.
#include <lungo/framework/forward_server.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>

#include <lungo/framework/process.hpp>
#include "tests/framework/forwarding_shop.hpp"

namespace forwarding_tests {

using Texts = std::vector<std::string>;
using Fate = Wire::Fate;

TEST(Forwarding, ACommandRunsAtTheOwner) {
  Shop shop{1};
  const std::array<HeaderView, 1> headers{{{"who", as_bytes("ada"), true}}};
  ExecuteOptions options;
  options.meta = {.time = Timestamp{1s}, .id = "one", .correlation = "c", .causation = "d", .lane = "e", .headers = headers};
  const Result<Commit> commit = shop.here.tills->execute("a", Pay{100}, options);
  ASSERT_TRUE(commit) << commit.error();
  EXPECT_EQ(commit->partition, Shop::of("a"));
  EXPECT_EQ(commit->end - commit->first, 1);
  EXPECT_FALSE(commit->repeated);
  EXPECT_EQ(shop.wire.sent, 1);
  EXPECT_EQ(shop.homes.refused(), 0) << "nobody tried what is another's";
  EXPECT_EQ(shop.history("a"), Texts{"+100 one"});
  StreamEvents events = shop.unowned.read_stream("tills", StreamId("Till", "a")).value();
  const Envelope event = events.next().value()->envelope;
  EXPECT_EQ(event.offset, commit->first);
  EXPECT_EQ(event.time, Timestamp{1s});
  EXPECT_EQ(event.correlation, "c");
  EXPECT_EQ(event.causation, "d");
  EXPECT_EQ(event.lane, "e");
  HeaderCursor cursor = event.headers();
  std::string who;
  while (const HeaderView* header = cursor.next()) {
    if (header->name == "who") who = as_text(header->value);
  }
  EXPECT_EQ(who, "ada");

  std::optional<Result<Commit>> answer;
  shop.here.tills->execute_async(in("scope"), "a/b", Pay{7}, {}, [&](Result<Commit> outcome) { answer = std::move(outcome); });
  shop.simulation.executor.run_for(1s);
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(shop.here.tills->load(in("scope"), "a/b").value().state.cents, 7);

  EXPECT_TRUE(shop.there.tills->execute("a", Take{100, {}}));
  EXPECT_EQ(shop.wire.sent, 2) << "the owner sends nothing";
}

TEST(Forwarding, WithoutAForwarderTheOwnerIsNamed) {
  Shop shop{1};
  EventStore store{shop.homes.log(0)};
  Aggregates<Till> tills{store};
  for (int round = 0; round < 2; ++round) {
    const Result<Commit> commit = tills.execute("a", Pay{1});
    ASSERT_FALSE(commit);
    EXPECT_EQ(commit.error(), Errc::not_owner);
    EXPECT_NE(commit.error().text().find(to_string(Shop::of("a")) + " is owned by home-1:80"), std::string_view::npos)
        << commit.error();
    shop.homes.give(Shop::of("a"), 0);
    shop.homes.take(Shop::of("a"), 1);  // now it has lost it without knowing
  }
  EXPECT_EQ(shop.history("a"), Texts{});
}

TEST(Forwarding, ACommandThatIsNotListedIsNotSent) {
  Shop shop{1};
  EXPECT_EQ(shop.here.tills->execute("a", Unlisted{}).error(), Errc::not_owner);
  EXPECT_EQ(shop.wire.sent, 0);
  EXPECT_TRUE(shop.there.tills->execute("a", Unlisted{}));
}

TEST(Forwarding, RefusalsComeBackAsTheyAre) {
  Shop shop{1};
  ASSERT_TRUE(shop.here.tills->execute("a", Pay{5}));
  const Error refused = shop.here.tills->execute("a", Take{6, "rent"}).error();
  EXPECT_EQ(refused, Errc::rejected);
  EXPECT_EQ(refused.text(), "there are 5 cents, not enough for rent");
  const Error failed = shop.here.tills->execute("a", Pay{-1}).error();
  EXPECT_EQ(failed, Errc::handler_failed);
  EXPECT_EQ(failed.text(), shop.there.tills->execute("a", Pay{-1}).error().text());
  const Result<Commit> nothing = shop.here.tills->execute("a", Pay{0});
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->first, nothing->end);
  const Error large = shop.here.tills->execute("a", Take{1, std::string(kForwardedBytesMax, 'x')}).error();
  EXPECT_EQ(large, Errc::too_large);
}

TEST(Forwarding, WaitsWhileNobodyOwnsThePartition) {
  Shop shop{1};
  shop.homes.put_away(Shop::of("a"));
  const Error late = shop.here.tills->execute("a", Pay{1}, Shop::with_id("one", 2s)).error();
  EXPECT_EQ(late, Errc::timed_out);
  EXPECT_NE(late.text().find(" is nobody's at present"), std::string_view::npos) << late;
  EXPECT_EQ(late.text().find("may have been executed"), std::string_view::npos) << late;
  std::map<int, Result<Commit>> answers;
  for (const int home : {0, 1}) {
    (home == 0 ? shop.here : shop.there).tills->execute_async({}, "a", Pay{home + 2}, {}, [&answers, home](Result<Commit> one) {
      answers.emplace(home, std::move(one));
    });
  }
  shop.simulation.executor.run_for(1s);
  EXPECT_TRUE(answers.empty());
  shop.homes.give(Shop::of("a"), 1);
  shop.simulation.executor.run_for(1s);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers.at(0) && answers.at(1));
  EXPECT_EQ(shop.history("a").size(), 2u);
}

TEST(Forwarding, FollowsAnOwnershipThatMovesMeanwhile) {
  Shop shop{1};
  for (const bool in_peace : {true, false}) {
    shop.homes.give(Shop::of("a"), 1);
    shop.wire.before_delivery = [&] {
      if (in_peace) return shop.homes.give(Shop::of("a"), 0);
      shop.homes.take(Shop::of("a"), 0);
    };
    const Result<Commit> commit = shop.here.tills->execute("a", Pay{1});
    ASSERT_TRUE(commit) << commit.error();
  }
  shop.homes.give(Shop::of("a"), 1);
  shop.wire.before_delivery = [&] { shop.homes.put_away(Shop::of("a")); };
  std::optional<Result<Commit>> answer;
  shop.here.tills->execute_async({}, "a", Pay{2}, {}, [&](Result<Commit> one) { answer = std::move(one); });
  shop.simulation.executor.run_for(1s);
  EXPECT_FALSE(answer);
  shop.homes.give(Shop::of("a"), 1);
  shop.simulation.executor.run_for(1s);
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ(shop.history("a"), (Texts{"+1", "+1", "+2"}));
}

TEST(Forwarding, WhatIsSentOnIsExecutedThereOrNowhere) {
  Shop shop{1};
  shop.homes.give(Shop::of("a"), 0);
  // As if 0 had been told by somebody that 1 is the owner, and 1 that 0 is: neither sends on.
  std::optional<Bytes> answer;
  const detail::ForwardedCommand call{.timeout = 5s, .category = "Till", .id = "a", .type = "Pay"};
  Bytes payload;
  encode(Pay{1}, payload);
  detail::ForwardedCommand whole = call;
  whole.shape = shape_of<Pay>().hash();
  whole.payload = payload;
  const Shape* const shape = &shape_of<Pay>();
  ASSERT_TRUE(shop.unowned.shapes().publish({&shape, 1}));
  shop.there.server->serve(detail::to_bytes(whole).value(), [&](Bytes bytes) { answer = std::move(bytes); });
  shop.simulation.executor.run_for(1s);
  ASSERT_TRUE(answer);
  const detail::ForwardedAnswer refused = detail::parse_forwarded_answer(*answer).value();
  ASSERT_FALSE(refused.outcome);
  EXPECT_EQ(refused.outcome.error(), Errc::not_owner);
  EXPECT_EQ(refused.endpoint, "home-0:80");
  EXPECT_EQ(shop.wire.sent, 0);
  EXPECT_EQ(shop.history("a"), Texts{});
}

TEST(Forwarding, ALostAnswerIsAskedForAgainByTheId) {
  Shop shop{1};
  for (const Fate fate : {Fate::answer_is_lost, Fate::request_is_lost, Fate::answer_is_garbage}) {
    shop.wire.fates = {fate, fate, fate};
    const std::string id = "id-" + std::to_string(static_cast<int>(fate));
    const Result<Commit> commit = shop.here.tills->execute("a", Pay{1}, Shop::with_id(id));
    ASSERT_TRUE(commit) << commit.error();
    EXPECT_EQ(commit->repeated, fate != Fate::request_is_lost);
    EXPECT_EQ(shop.history("a").back(), "+1 " + id);
  }
  EXPECT_EQ(shop.history("a").size(), 3u) << "each once";
  EXPECT_EQ(shop.wire.sent, 12);
}

/// Keeps no states, and writes a snapshot for every few events.
struct SavedTill : Till {
  static constexpr std::string_view category = "Till";
  static constexpr int snapshot_every = 5;
};

TEST(Forwarding, ALostAnswerIsFoundBehindASnapshotThatWasWrittenMeanwhile) {
  Shop shop{1};
  const AggregatesOptions frugal{.partitions = kPartitions, .kept_bytes_max = 0};
  Aggregates<SavedTill> here{shop.here.store, frugal};
  Aggregates<SavedTill> there{shop.there.store, frugal};
  shop.there.server->add(there);
  ASSERT_TRUE(there.execute("a", Pay{1}));
  shop.wire.fates = {Fate::answer_is_lost};
  std::optional<Result<Commit>> answer;
  here.execute_async({}, "a", Pay{5}, Shop::with_id("one"), [&](Result<Commit> one) { answer = std::move(one); });
  shop.simulation.executor.run_for(20ms);
  EXPECT_EQ(shop.history("a"), (Texts{"+1", "+5 one"}));
  for (int more = 0; more < 20; ++more) ASSERT_TRUE(there.execute("a", Pay{1}));
  EXPECT_LT(there.load("a")->events, 10) << "there is a snapshot";
  shop.simulation.executor.run_for(1s);
  ASSERT_TRUE(answer && *answer);
  EXPECT_TRUE((*answer)->repeated);
  EXPECT_EQ(shop.history("a").size(), 22u);
}

TEST(Forwarding, WithoutAnIdWhatMayHaveBeenExecutedIsNotSentAgain) {
  Shop shop{1};
  shop.wire.fates = {Fate::answer_is_lost};
  const Error unknown = shop.here.tills->execute("a", Pay{1}).error();
  EXPECT_EQ(unknown, Errc::timed_out);
  EXPECT_NE(unknown.text().find("home-1:80: connection reset"), std::string_view::npos) << unknown;
  EXPECT_EQ(shop.wire.sent, 1);
  EXPECT_EQ(shop.history("a"), Texts{"+1"});
  shop.wire.fates = {Fate::is_refused, Fate::is_refused};
  ASSERT_TRUE(shop.here.tills->execute("a", Pay{2})) << "it surely was not executed";
  EXPECT_EQ(shop.wire.sent, 4);
  EXPECT_EQ(shop.history("a"), (Texts{"+1", "+2"}));
}

TEST(Forwarding, ADeadlineEndsTheWaitForAnAnswer) {
  Shop shop{1};
  shop.wire.fates = {Fate::is_swallowed};
  std::vector<Result<Commit>> answers;
  const auto note = [&](Result<Commit> one) { answers.push_back(std::move(one)); };
  shop.here.tills->execute_async({}, "a", Pay{1}, Shop::with_id("one", 2s), note);
  shop.here.tills->execute_async({}, "a", Pay{2}, Shop::with_id("two", 10s), note);
  shop.simulation.executor.run_for(1s);
  EXPECT_TRUE(answers.empty()) << "the second one waits for its turn";
  shop.simulation.executor.run_for(2s);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].error(), Errc::timed_out);
  EXPECT_NE(answers[0].error().text().find("home-1:80 has not answered; it may have been executed"), std::string_view::npos)
      << answers[0].error();
  EXPECT_TRUE(answers[1]);
}

TEST(Forwarding, EachIsAnsweredWhenTheAggregatesGo) {
  Shop shop{1};
  shop.wire.fates = {Fate::is_swallowed};
  std::vector<std::string> answers;
  const auto note = [&](const Result<Commit>& one) { answers.emplace_back(one ? "done" : one.error().text()); };
  shop.here.tills->execute_async({}, "a", Pay{1}, {}, note);
  shop.here.tills->execute_async({}, "a", Pay{2}, {}, note);
  shop.simulation.executor.run_for(10ms);
  shop.here.tills.reset();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0], "stopped before the command was executed");
  EXPECT_EQ(answers[1], "stopped before the command's answer came from home-1:80; it may have been executed");
}

TEST(Forwarding, CommandsOfAStreamTakeEffectInTheirOrder) {
  Shop shop{1};
  int answered = 0;
  Texts expected;
  for (int cents = 1; cents <= 20; ++cents) {
    shop.here.tills->execute_async({}, "a", Pay{cents}, {}, [&](const Result<Commit>& one) { answered += one ? 1 : 0; });
    expected.push_back("+" + std::to_string(cents));
  }
  shop.wire.fates = {Fate::arrives, Fate::is_refused, Fate::is_refused, Fate::arrives, Fate::is_refused};
  shop.simulation.executor.run_for(5s);
  EXPECT_EQ(answered, 20);
  EXPECT_EQ(shop.history("a"), expected);
}

// ---- a process's commands ----

struct Sold {
  std::string till;
  std::int64_t cents = 0;
};
struct Cashier {
  using Events = lungo::events<Sold>;
  static constexpr std::string_view topic = "sales";
  struct State {};
  static std::string key(const Envelope&, const Sold& sold) { return sold.till; }
  static void evolve(State&, const Sold&) {}
  static void react(const State&, const Sold& sold, Actions& actions) { actions.send<Till>(sold.till, Pay{sold.cents}); }
};

TEST(Forwarding, AProcessSendsItsCommandsToTheirOwners) {
  Shop shop{1};
  ASSERT_TRUE(shop.unowned.stream_topic("sales", 1));
  shop.homes.give(TopicPartition{"sales", PartitionId{0}}, 0);
  Process<Cashier> process{shop.here.store};
  ASSERT_TRUE(process.start());
  shop.wire.fates = {Fate::answer_is_lost};
  for (int sale = 0; sale < 10; ++sale) {
    ASSERT_TRUE(shop.unowned.append("sales", StreamId("Sale", "1"), Sold{sale % 2 == 0 ? "a" : "b", 10}));
  }
  ASSERT_TRUE(process.catch_up(10s));
  EXPECT_EQ(shop.there.tills->load("a")->state.cents + shop.there.tills->load("b")->state.cents, 100);
  EXPECT_EQ(process.status().parked, 0);
  EXPECT_FALSE(process.status().error);
  ASSERT_TRUE(process.stop());
}

// ---- at random ----

class ForwardingRuns : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ForwardingRuns, ACommandWithAnIdIsExecutedOnceWhateverHappens) {
  Shop shop{GetParam()};
  shop.homes.answer_late(GetParam());
  shop.wire.any_fate = [&] {
    const std::uint64_t drawn = shop.random.below(20);
    return drawn < 6 ? static_cast<Fate>(drawn) : Fate::arrives;
  };
  std::map<std::string, Result<Commit>> answers;
  int sent = 0;
  for (int round = 0; round < 60; ++round) {
    for (int command = 0; command < 3; ++command) {
      Site& site = shop.random.below(2) == 0 ? shop.here : shop.there;
      const std::string id = "c" + std::to_string(sent++);
      const Duration timeout = shop.random.one_in(5) ? Duration{100ms} : Duration{30s};
      site.tills->execute_async({}, std::string(1, static_cast<char>('a' + shop.random.below(4))), Pay{1},
                                Shop::with_id(id, timeout), [&answers, id](Result<Commit> one) {
                                  EXPECT_TRUE(answers.emplace(id, std::move(one)).second) << id << " is answered twice";
                                });
    }
    shop.simulation.executor.run_for(std::chrono::milliseconds{shop.random.below(30)});
    if (!shop.random.one_in(3)) continue;
    const TopicPartition partition = Shop::tills(static_cast<std::int32_t>(shop.random.below(kPartitions)));
    const int home = static_cast<int>(shop.random.below(2));
    switch (shop.random.below(4)) {
      case 0:
        shop.homes.put_away(partition);
        break;
      case 1:
        shop.homes.take(partition, home);
        break;
      default:
        shop.homes.give(partition, home);
    }
    if (shop.random.below(2) == 0) shop.homes.tell_lost();
  }
  shop.homes.tell_lost();
  for (std::int32_t id = 0; id < kPartitions; ++id) shop.homes.give(Shop::tills(id), id);
  shop.simulation.executor.run_for(60s);
  EXPECT_EQ(answers.size(), static_cast<std::size_t>(sent));
  std::map<std::string, int> executed;
  for (const char till : {'a', 'b', 'c', 'd'}) {
    for (const std::string& text : shop.history(std::string(1, till))) ++executed[text.substr(text.find(' ') + 1)];
  }
  int done = 0;
  for (const auto& [id, answer] : answers) {
    done += answer ? 1 : 0;
    EXPECT_LE(executed[id], 1) << id;
    if (answer) {
      EXPECT_EQ(executed[id], 1) << id;
    } else {
      EXPECT_EQ(answer.error(), Errc::timed_out) << id << ": " << answer.error();
    }
  }
  EXPECT_GT(done, sent / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ForwardingRuns, testing::Range<std::uint64_t>(1, 101));

}  // namespace forwarding_tests
