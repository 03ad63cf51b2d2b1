// Appends of events that are written by another process.
#include <lungo/framework/forwarded_appends.hpp>

#include <gtest/gtest.h>

#include <array>
#include <map>

#include <lungo/framework/forwarded_command.hpp>
#include "tests/framework/forwarding_shop.hpp"

namespace forwarding_tests {

using Texts = std::vector<std::string>;
using Fate = Wire::Fate;

/// A shop whose processes take appends, and what those of process 0 were told.
struct Warehouse : Shop {
  explicit Warehouse(std::uint64_t seed) : Shop(seed) {
    EXPECT_TRUE((here.store.declare<Put, Taken>()));
    for (Site* site : {&here, &there}) EXPECT_TRUE(site->server->take_appends("tills"));
    appends.emplace(here.store);
  }
  AppendRequest put(std::string_view till, std::int64_t cents, std::string_view id = {}) {
    EventBatch batch = here.store.batch("tills").value();
    EXPECT_TRUE(batch.add(StreamId("Till", till), Put{cents}, {.id = id}));
    return std::move(EventStore::requests_of(std::move(batch)).front());
  }
  void append(AppendRequest request, Duration timeout = 30s) {
    const std::size_t index = answers.size();
    answers.emplace_back();
    appends->append(std::move(request), timeout, [this, index](Result<Commit> outcome) {
      EXPECT_FALSE(answers[index]) << "answered twice";
      answers[index] = std::move(outcome);
    });
  }
  std::string told(std::size_t index) {
    if (!answers[index]) return "-";
    const Result<Commit>& answer = *answers[index];
    if (!answer) return to_string(answer.error());
    return answer->repeated ? "repeated" : "written";
  }
  void run(Duration span = 1s) { simulation.executor.run_for(span); }

  std::vector<std::optional<Result<Commit>>> answers;
  std::optional<ForwardedAppends> appends;
};

TEST(ForwardedAppends, GoToWhoeverOwnsTheirPartition) {
  Warehouse shop{1};
  shop.homes.give(Shop::tills(0), 0);
  EventBatch batch = shop.here.store.batch("tills").value();
  const std::array<HeaderView, 1> headers{{{"who", as_bytes("ada"), true}}};
  for (const char* till : {"a", "b", "c", "d"}) {
    ASSERT_TRUE(batch.add(StreamId("Till", till), Put{1}, {.time = Timestamp{5s}, .id = till, .headers = headers}));
  }
  std::vector<AppendRequest> requests = EventStore::requests_of(std::move(batch));
  ASSERT_EQ(requests.size(), 2u);
  for (AppendRequest& request : requests) shop.append(std::move(request));
  EXPECT_EQ(shop.told(0), "written") << "at once: it is this process's";
  shop.run();
  EXPECT_EQ(shop.told(1), "written");
  EXPECT_EQ(shop.wire.sent, 1);
  EXPECT_EQ((*shop.answers[1])->partition, Shop::tills(1));
  for (const char* till : {"a", "b", "c", "d"}) {
    StreamEvents events = shop.unowned.read_stream("tills", StreamId("Till", till)).value();
    const Envelope event = events.next().value()->envelope;
    EXPECT_EQ(event.time, Timestamp{5s});
    EXPECT_EQ(event.id, till);
    HeaderCursor cursor = event.headers();
    bool is_there = false;
    while (const HeaderView* header = cursor.next()) is_there = is_there || header->name == "who";
    EXPECT_TRUE(is_there);
  }
}

TEST(ForwardedAppends, KeepTheirOrder) {
  Warehouse shop{1};
  shop.wire.fates = {Fate::arrives, Fate::is_refused, Fate::arrives, Fate::is_refused, Fate::is_refused};
  Texts expected;
  for (int cents = 1; cents <= 10; ++cents) {
    shop.append(shop.put("a", cents));
    expected.push_back("+" + std::to_string(cents));
  }
  shop.run(5s);
  EXPECT_EQ(shop.history("a"), expected);
}

TEST(ForwardedAppends, AreWrittenOnceWhateverIsLost) {
  Warehouse shop{1};
  shop.wire.fates = {Fate::answer_is_lost, Fate::request_is_lost, Fate::answer_is_garbage};
  shop.append(shop.put("a", 1, "one"));
  shop.run();
  EXPECT_EQ(shop.told(0), "repeated");
  shop.wire.fates = {Fate::is_refused, Fate::answer_is_lost};
  shop.append(shop.put("a", 2));
  shop.run();
  EXPECT_TRUE(shop.told(1).starts_with("timed_out: nobody knows whether the append was written")) << shop.told(1);
  EXPECT_EQ(shop.history("a"), (Texts{"+1 one", "+2"}));
}

TEST(ForwardedAppends, AnIdIsFoundThatWasWrittenBefore) {
  Warehouse shop{1};
  shop.homes.give(Shop::of("a"), 0);
  shop.append(shop.put("a", 1, "one"));
  shop.run();
  shop.homes.give(Shop::of("a"), 1);
  shop.append(shop.put("a", 1, "one"));
  shop.run();
  EXPECT_EQ(shop.wire.sent, 1);
  EXPECT_EQ(shop.told(1), "repeated") << "a client's second try, which is known as it was here";
  EXPECT_EQ(shop.history("a"), Texts{"+1 one"});
}

TEST(ForwardedAppends, FollowAnOwnershipThatMovesMeanwhile) {
  Warehouse shop{1};
  shop.wire.before_delivery = [&] { shop.homes.give(Shop::of("a"), 0); };
  shop.append(shop.put("a", 1));
  shop.run();
  EXPECT_EQ(shop.told(0), "written");
  shop.homes.put_away(Shop::of("a"));
  shop.append(shop.put("a", 2));
  shop.append(shop.put("a", 3), 500ms);
  shop.run();
  EXPECT_EQ(shop.told(1), "-");
  EXPECT_TRUE(shop.told(2).starts_with("timed_out: an append to " + to_string(Shop::of("a")))) << shop.told(2);
  shop.homes.give(Shop::of("a"), 1);
  shop.run();
  EXPECT_EQ(shop.told(1), "written");
  EXPECT_EQ(shop.history("a"), (Texts{"+1", "+2"}));
}

TEST(ForwardedAppends, AreAnsweredAtTheirDeadlineAndWhenTheyGo) {
  Warehouse shop{1};
  shop.wire.fates = {Fate::is_swallowed, Fate::is_swallowed};
  shop.append(shop.put("a", 1, "one"), 2s);
  shop.run(3s);
  EXPECT_TRUE(shop.told(0).ends_with("home-1:80 has not answered; it may have been written")) << shop.told(0);
  shop.append(shop.put("a", 2));
  shop.append(shop.put("a", 3));
  shop.run();
  shop.appends.reset();
  EXPECT_EQ(shop.told(1), "canceled: stopped before the append was answered; it may have been written");
  EXPECT_EQ(shop.told(2), "canceled: stopped before the append was written");
}

TEST(ForwardedAppends, RefusalsComeBackAsTheyAre) {
  Warehouse shop{1};
  shop.append(shop.put("a", 1));
  shop.run();
  AppendRequest conditional = shop.put("a", 2);
  conditional.condition = Condition{"Till-a", Offset{0}};
  shop.append(std::move(conditional));
  shop.run();
  ASSERT_TRUE(shop.answers[1] && !*shop.answers[1]);
  EXPECT_EQ(shop.answers[1]->error(), Errc::conflict);
  EXPECT_EQ(shop.answers[1]->error().offset(), (*shop.answers[0])->first);
  EventBatch batch = shop.here.store.batch("tills").value();
  for (int event = 0; event < 3; ++event) {
    ASSERT_TRUE(batch.add(StreamId("Till", "a"), Put{1}, {.correlation = std::string(200, 'x'), .headers = {}}));
  }
  AppendRequest large = std::move(EventStore::requests_of(std::move(batch)).front());
  const std::string value(kForwardedBytesMax, 'x');
  ASSERT_TRUE(large.records.add({Timestamp{}, as_bytes("Till-a"), as_bytes(value), {}}));
  shop.append(std::move(large));
  shop.run();
  EXPECT_TRUE(shop.told(2).starts_with("too_large: an append of ")) << shop.told(2);

  EventStore alone{shop.homes.log(0)};
  ForwardedAppends unsent{alone};
  std::optional<Result<Commit>> answer;
  unsent.append(shop.put("a", 5), 30s, [&](Result<Commit> outcome) { answer = std::move(outcome); });
  shop.run();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error(), Errc::not_owner);
  EXPECT_NE(answer->error().text().find("home-1:80"), std::string_view::npos) << answer->error();
}

/// What a server is sent by whom it does not know.
class ForwardedAppendBytes : public testing::Test {
 protected:
  std::string serve(const Bytes& bytes) {
    Texts answers;
    shop.there.server->serve(bytes, [&](const Bytes& answer) {
      const Result<Commit> outcome = detail::parse_forwarded_answer(answer).value().outcome;
      answers.push_back(outcome ? "written" : to_string(outcome.error()));
    });
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? std::string() : answers.front();
  }
  Warehouse shop{1};
};

TEST_F(ForwardedAppendBytes, ComeAsTheyWent) {
  AppendRequest request = shop.put("a", 1, "one");
  request.condition = Condition{"Till-a", Offset{5}};
  request.since = Offset{7};
  const Bytes bytes = detail::to_bytes(request).value();
  EXPECT_EQ(detail::kind_of_request(bytes).value(), detail::ForwardedKind::append);
  AppendRequest parsed = detail::parse_forwarded_append(bytes).value();
  EXPECT_EQ(parsed.to, request.to);
  EXPECT_EQ(parsed.condition->key, "Till-a");
  EXPECT_EQ(parsed.since, Offset{7});
  EXPECT_EQ(parsed.records.id(0), "one");
  EXPECT_EQ(detail::to_bytes(parsed).value(), bytes) << "and all the rest of it";
}

TEST_F(ForwardedAppendBytes, AreRefusedForOtherTopicsAndOtherPartitions) {
  AppendRequest request = shop.put("a", 1);
  EXPECT_EQ(serve(detail::to_bytes(request).value()), "written");
  request.to.partition = PartitionId{1 - request.to.partition.value()};
  EXPECT_TRUE(serve(detail::to_bytes(request).value()).ends_with("has a stream that does not lie there"));
  request.to.partition = PartitionId{7};
  EXPECT_TRUE(serve(detail::to_bytes(request).value()).starts_with("invalid_argument"));
  request.to = {"__lungo_shapes", PartitionId{0}};
  EXPECT_EQ(serve(detail::to_bytes(request).value()),
            "invalid_argument: topic __lungo_shapes takes no appends from other processes");
  AppendRequest nameless = shop.put("a", 1);
  nameless.records.clear();
  ASSERT_TRUE(nameless.records.add({Timestamp{}, as_bytes("Till-a"), as_bytes("x"), {}}));
  EXPECT_EQ(serve(detail::to_bytes(nameless).value()),
            "invalid_argument: the batch of a forwarded append: it is no event of a stream");
  EXPECT_EQ(shop.history("a"), Texts{"+1"});
}

TEST_F(ForwardedAppendBytes, AreRefusedOrWrittenWhateverTheyAre) {
  AppendRequest request = shop.put("a", 1);
  const Bytes whole = detail::to_bytes(request).value();
  for (std::size_t end = 0; end < whole.size(); ++end) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(end));
    EXPECT_TRUE(serve(cut).starts_with("invalid_argument")) << end;
  }
  int written = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes turned = whole;
    turned[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    if (serve(turned) == "written") ++written;
  }
  // The batch has a checksum, which leaves out what a log stamps: base offset and leader's epoch.
  EXPECT_LE(written, 32);
  EXPECT_EQ(shop.history("a").size(), static_cast<std::size_t>(written));
}

class ForwardedAppendsRuns : public testing::TestWithParam<std::uint64_t> {};

TEST_P(ForwardedAppendsRuns, AnAppendWithAnIdIsWrittenOnceWhateverHappens) {
  Warehouse shop{GetParam()};
  shop.homes.answer_late(GetParam());
  shop.wire.any_fate = [&] {
    const std::uint64_t drawn = shop.random.below(20);
    return drawn < 6 ? static_cast<Fate>(drawn) : Fate::arrives;
  };
  for (int round = 0; round < 60; ++round) {
    for (int count = 0; count < 3; ++count) {
      const std::string till(1, static_cast<char>('a' + shop.random.below(4)));
      const std::string id = "i" + std::to_string(shop.answers.size());
      shop.append(shop.put(till, 1, id), shop.random.one_in(5) ? Duration{100ms} : Duration{30s});
    }
    shop.run(std::chrono::milliseconds{shop.random.below(30)});
    if (!shop.random.one_in(3)) continue;
    const TopicPartition partition = Shop::tills(static_cast<std::int32_t>(shop.random.below(kPartitions)));
    if (shop.random.one_in(4)) {
      shop.homes.put_away(partition);
    } else {
      shop.homes.give(partition, static_cast<int>(shop.random.below(2)));
    }
  }
  for (std::int32_t id = 0; id < kPartitions; ++id) shop.homes.give(Shop::tills(id), id);
  shop.run(60s);
  std::map<std::string, int> written;
  for (const char till : {'a', 'b', 'c', 'd'}) {
    for (const std::string& text : shop.history(std::string(1, till))) ++written[text.substr(text.find(' ') + 1)];
  }
  std::size_t done = 0;
  for (std::size_t index = 0; index < shop.answers.size(); ++index) {
    const std::string id = "i" + std::to_string(index);
    ASSERT_TRUE(shop.answers[index]) << id;
    EXPECT_LE(written[id], 1) << id;
    if (*shop.answers[index]) {
      ++done;
      EXPECT_EQ(written[id], 1) << id;
    } else {
      EXPECT_EQ(shop.answers[index]->error(), Errc::timed_out) << id << ": " << shop.answers[index]->error();
    }
  }
  EXPECT_GT(done, shop.answers.size() / 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ForwardedAppendsRuns, testing::Range<std::uint64_t>(1, 41));

}  // namespace forwarding_tests
