// What conditions and ids of appends promise: AppendRequest::condition and AppendRequest::since.
#include "tests/contract/contract.hpp"

#include <algorithm>
#include <set>

namespace lungo::contract {
namespace {

AppendRequest conditional(std::string_view key, std::string_view value, Offset as_of, std::string_view id = {}) {
  AppendRequest request = append_of(kEvents, key, value, id);
  request.condition = Condition{std::string(key), as_of};
  return request;
}

class Conditions : public Contract {
 protected:
  Conditions() { log->create_topic(topic_named("events", true)).value(); }
};

TEST_P(Conditions, HoldWhileNoRecordOfTheKeyHasCome) {
  EXPECT_EQ(append_wait(*log, conditional("a", "1", Offset{0}))->first, Offset{0});
  EXPECT_EQ(append_wait(*log, conditional("b", "2", Offset{0}))->first, Offset{1}) << "a's record is not in its way";
  EXPECT_EQ(append_wait(*log, conditional("a", "3", Offset{1}))->first, Offset{2}) << "a's record lies below";
}

TEST_P(Conditions, ThatFailNameARecordInTheWay) {
  for (const char* key : {"a", "b", "a"}) append_wait(*log, append_of(kEvents, key, "v")).value();
  for (const auto& [as_of, in_the_way] : {std::pair{0, std::set{0, 2}}, {1, {2}}, {2, {2}}}) {
    const Result<Appended> refused = append_wait(*log, conditional("a", "no", Offset{as_of}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::conflict);
    ASSERT_TRUE(refused.error().offset());
    EXPECT_TRUE(in_the_way.contains(static_cast<int>(refused.error().offset()->value()))) << refused.error();
  }
  EXPECT_EQ(log->ends(kEvents)->written, Offset{3});
}

TEST_P(Conditions, LookAtWhatQueuedBefore) {
  for (const char* key : {"a", "a", "b", "a"}) submit(conditional(key, "v", Offset{0}));
  wait_for([&] { return answered == 4; });
  EXPECT_EQ(std::ranges::count(outcomes, "ok"), 2) << "one of each key";
  EXPECT_EQ(std::ranges::count(outcomes, "conflict"), 2);
  EXPECT_EQ(values_of(*log, kEvents).size(), 2u);
}

TEST_P(Conditions, KnowARetryByItsId) {
  append_wait(*log, append_of(kEvents, "a", "1")).value();
  EXPECT_EQ(append_wait(*log, conditional("a", "2", Offset{1}, "once"))->first, Offset{1});
  append_wait(*log, append_of(kEvents, "a", "3")).value();
  const Appended again = append_wait(*log, conditional("a", "2", Offset{1}, "once")).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, Offset{1});
  EXPECT_EQ(again.end, Offset{2});
  EXPECT_EQ(append_wait(*log, conditional("a", "2", Offset{1}, "another")).error(), Errc::conflict);
  EXPECT_EQ(values_of(*log, kEvents), (std::vector<std::string>{"1", "2", "3"}));
}

TEST_P(Conditions, HoldOverARestart) {
  append_wait(*log, conditional("a", "1", Offset{0}, "once")).value();
  home->restart(log);
  EXPECT_EQ(append_wait(*log, conditional("a", "2", Offset{0})).error(), Errc::conflict);
  EXPECT_TRUE(append_wait(*log, conditional("a", "1", Offset{0}, "once"))->repeated);
  EXPECT_EQ(append_wait(*log, conditional("a", "2", Offset{1}))->first, Offset{1});
}

TEST_P(Conditions, BelowTheStartAreHistoryTrimmed) {
  for (int i = 0; i < 3; ++i) append_wait(*log, append_of(kEvents, "a", "v")).value();
  const Result<Offset> deleted = log->delete_records(kEvents, Offset{2});
  if (refused(deleted)) return;
  ASSERT_TRUE(deleted) << deleted.error();
  EXPECT_EQ(append_wait(*log, conditional("b", "v", Offset{1})).error(), Errc::history_trimmed);
  EXPECT_EQ(append_wait(*log, conditional("b", "v", Offset{2}))->first, Offset{3});
}

INSTANTIATE_TEST_SUITE_P(Homes, Conditions, testing::ValuesIn(home_names()), name_of_home);

class Ids : public Contract {
 protected:
  Ids() { log->create_topic(topic_named("events", true)).value(); }

  /// `count` records, of which the first has the id.
  static void add(AppendRequest& request, std::optional<std::string_view> key, std::string_view id, std::size_t count = 1) {
    const HeaderView header{kIdHeader, as_bytes(id), true};
    for (std::size_t i = 0; i < count; ++i) {
      RecordFields fields{.timestamp = {}, .key = {}, .value = as_bytes("v"), .headers = {}};
      if (key) fields.key = as_bytes(*key);
      if (i == 0) fields.headers = {&header, 1};
      request.records.add(fields).value();
    }
  }
  Result<Appended> append(std::optional<std::string_view> key, std::string_view id, std::size_t count = 1,
                          std::optional<Offset> since = {}) {
    AppendRequest request{.to = kEvents, .records = {}, .condition = {}, .since = since};
    add(request, key, id, count);
    return append_wait(*log, std::move(request));
  }
};

TEST_P(Ids, BelongToTheirKeys) {
  EXPECT_EQ(append("a", "1")->first, Offset{0});
  EXPECT_EQ(append("b", "1")->first, Offset{1});
  EXPECT_EQ(append("", "1")->first, Offset{2});
  EXPECT_EQ(append(std::nullopt, "1")->first, Offset{3}) << "no key is not an empty key";
  EXPECT_EQ(append("c", "1", 1, Offset{0})->first, Offset{4});
  EXPECT_EQ(append("a", "1")->first, Offset{0});
  EXPECT_EQ(append("b", "1", 1, Offset{0})->first, Offset{1});
  EXPECT_EQ(append("", "1")->first, Offset{2});
  EXPECT_EQ(append(std::nullopt, "1")->first, Offset{3});
  EXPECT_EQ(append("a", "1", 1, Offset{1})->first, Offset{5}) << "not since then";
}

TEST_P(Ids, OfASmallerAppendAreRefused) {
  append("a", "1").value();
  const Result<Appended> larger = append("a", "1", 2);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error(), Errc::invalid_argument);
  EXPECT_EQ(larger.error().offset(), Offset{0});
  EXPECT_EQ(append("b", "1", 2)->first, Offset{1}) << "under another key it is another id";
}

TEST_P(Ids, AreKnownOverARestart) {
  append("a", "1", 3).value();
  home->restart(log);
  const Appended again = append("a", "1", 3).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, Offset{0});
  EXPECT_EQ(again.end, Offset{3});
  EXPECT_TRUE(append("a", "1", 3, Offset{0})->repeated);
  EXPECT_EQ(log->ends(kEvents)->committed, Offset{3});
}

TEST_P(Ids, OfARecordThatIsUnderWayAreKnown) {
  for (int i = 0; i < 3; ++i) submit(append_of(kEvents, "a", "v", "1"));
  wait_for([&] { return answered == 3; });
  EXPECT_EQ(outcomes, std::vector<std::string>(3, "ok"));
  EXPECT_EQ(log->ends(kEvents)->committed, Offset{1});
}

TEST_P(Ids, OfAPartOfAnAppendAreKnown) {
  AppendRequest whole{.to = kEvents, .records = {}, .condition = {}, .since = {}};
  add(whole, "a", "1");
  add(whole, "a", "2", 2);
  AppendRequest part{.to = kEvents, .records = {}, .condition = {}, .since = {}};
  add(part, "a", "2", 2);
  submit(std::move(whole));
  submit(std::move(part));  // while the whole is under way, perhaps
  wait_for([&] { return answered == 2; });
  EXPECT_EQ(outcomes, std::vector<std::string>(2, "ok"));
  for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}}) {
    const Appended again = append("a", "2", 2, since).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.first, Offset{1});
    EXPECT_EQ(again.end, Offset{3});
  }
  EXPECT_EQ(log->ends(kEvents)->committed, Offset{3});
}

INSTANTIATE_TEST_SUITE_P(Homes, Ids, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
