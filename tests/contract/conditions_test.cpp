// What conditions and ids of appends promise: AppendRequest::condition and AppendRequest::since.
#include "tests/contract/contract.hpp"

#include <algorithm>
#include <set>

namespace lungo::contract {
namespace {

using namespace std::chrono_literals;

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
  const Appended first = append_wait(*log, conditional("a", "1", Offset{0})).value();
  EXPECT_TRUE(append_wait(*log, conditional("b", "2", Offset{0}))) << "a's record is not in its way";
  EXPECT_TRUE(append_wait(*log, conditional("a", "3", first.end))) << "a's record lies below";
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"1", "2", "3"}));
}

TEST_P(Conditions, ThatFailNameARecordInTheWay) {
  const Appended first = append_wait(*log, append_of(kEvents, "a", "v")).value();
  append_wait(*log, append_of(kEvents, "b", "v")).value();
  const Appended last = append_wait(*log, append_of(kEvents, "a", "v")).value();
  using Offsets = std::set<Offset>;
  for (const auto& [as_of, in_the_way] : {std::pair{Offset{0}, Offsets{first.first, last.first}},
                                          {first.first, {first.first, last.first}},
                                          {first.end, {last.first}},
                                          {last.first, {last.first}}}) {
    const Result<Appended> refused = append_wait(*log, conditional("a", "no", as_of));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::conflict);
    ASSERT_TRUE(refused.error().offset());
    EXPECT_TRUE(in_the_way.contains(*refused.error().offset())) << refused.error();
  }
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>(3, "v")));
  EXPECT_TRUE(follows(last.end, log->ends(kEvents)->written));
}

TEST_P(Conditions, LookAtWhatQueuedBefore) {
  for (const char* key : {"a", "a", "b", "a"}) submit(conditional(key, "v", Offset{0}));
  wait_for([&] { return answered == 4; });
  EXPECT_EQ(std::ranges::count(outcomes, "ok"), 2) << "one of each key";
  EXPECT_EQ(std::ranges::count(outcomes, "conflict"), 2);
  EXPECT_EQ(values_of(kEvents).size(), 2u);
}

TEST_P(Conditions, KnowARetryByItsId) {
  const Appended first = append_wait(*log, append_of(kEvents, "a", "1")).value();
  const Appended once = append_wait(*log, conditional("a", "2", first.end, "once")).value();
  EXPECT_FALSE(once.repeated);
  append_wait(*log, append_of(kEvents, "a", "3")).value();
  const Appended again = append_wait(*log, conditional("a", "2", first.end, "once")).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, once.first);
  EXPECT_EQ(again.end, once.end);
  EXPECT_EQ(append_wait(*log, conditional("a", "2", first.end, "another")).error(), Errc::conflict);
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"1", "2", "3"}));
}

TEST_P(Conditions, HoldOverARestart) {
  const Appended first = append_wait(*log, conditional("a", "1", Offset{0}, "once")).value();
  home->restart(log);
  EXPECT_EQ(append_wait(*log, conditional("a", "2", Offset{0})).error(), Errc::conflict);
  EXPECT_TRUE(append_wait(*log, conditional("a", "1", Offset{0}, "once"))->repeated);
  EXPECT_FALSE(append_wait(*log, conditional("a", "2", first.end))->repeated);
  EXPECT_EQ(values_of(kEvents), (std::vector<std::string>{"1", "2"}));
}

TEST_P(Conditions, BelowTheStartAreHistoryTrimmed) {
  for (int i = 0; i < 3; ++i) written.push_back(append_wait(*log, append_of(kEvents, "a", "v")).value());
  const Offset start = written[2].first;
  const Result<Offset> deleted = log->delete_records(kEvents, start);
  if (refused(deleted)) return;
  ASSERT_TRUE(deleted) << deleted.error();
  EXPECT_EQ(append_wait(*log, conditional("b", "v", written[1].first)).error(), Errc::history_trimmed);
  EXPECT_EQ(append_wait(*log, conditional("b", "v", start.plus(-1))).error(), Errc::history_trimmed);
  EXPECT_TRUE(append_wait(*log, conditional("b", "v", start)));
}

INSTANTIATE_TEST_SUITE_P(Homes, Conditions, testing::ValuesIn(home_names()), name_of_home);

class Ids : public Contract {
 protected:
  Ids() { log->create_topic(topic_named("events", true)).value(); }

  /// `count` records, of which the first has the id.
  static void add(AppendRequest& request, std::optional<std::string_view> key, std::string_view id, std::size_t count = 1) {
    const HeaderView header{kIdHeader, as_bytes(id), true};
    for (std::size_t i = 0; i < count; ++i) {
      RecordFields fields{.timestamp = Timestamp{1s}, .key = {}, .value = as_bytes("v"), .headers = {}};
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
  const Appended a = append("a", "1").value();
  const Appended b = append("b", "1").value();
  const Appended empty = append("", "1").value();
  const Appended none = append(std::nullopt, "1").value();
  EXPECT_FALSE(none.repeated) << "no key is not an empty key";
  EXPECT_FALSE(append("c", "1", 1, Offset{0})->repeated);
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>(5, "v"));
  for (const auto& [key, since, first] : {std::tuple{std::optional<std::string_view>{"a"}, std::optional<Offset>{}, a},
                                          {"b", Offset{0}, b},
                                          {"", std::nullopt, empty},
                                          {std::nullopt, std::nullopt, none}}) {
    const Appended again = append(key, "1", 1, since).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.first, first.first);
    EXPECT_EQ(again.end, first.end);
  }
  EXPECT_EQ(values_of(kEvents).size(), 5u);
  const Appended later = append("a", "1", 1, a.end).value();
  EXPECT_FALSE(later.repeated) << "not since then";
  EXPECT_GT(later.first, none.first);
}

TEST_P(Ids, OfASmallerAppendAreRefused) {
  const Appended first = append("a", "1").value();
  const Result<Appended> larger = append("a", "1", 2);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error(), Errc::invalid_argument);
  EXPECT_EQ(larger.error().offset(), first.first);
  const Appended other = append("b", "1", 2).value();
  EXPECT_FALSE(other.repeated) << "under another key it is another id";
  EXPECT_TRUE(follows(first.end, other.first));
}

TEST_P(Ids, AreKnownOverARestart) {
  const Appended first = append("a", "1", 3).value();
  home->restart(log);
  const Appended again = append("a", "1", 3).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(again.end, first.end);
  EXPECT_TRUE(append("a", "1", 3, Offset{0})->repeated);
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>(3, "v"));
}

TEST_P(Ids, OfARecordThatIsUnderWayAreKnown) {
  for (int i = 0; i < 3; ++i) submit(append_of(kEvents, "a", "v", "1"));
  wait_for([&] { return answered == 3; });
  EXPECT_EQ(outcomes, std::vector<std::string>(3, "ok"));
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>{"v"});
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
  ASSERT_EQ(outcomes, std::vector<std::string>(2, "ok"));
  const auto& [first, end, epoch, repeated] = written[0];
  for (const std::optional<Offset> since : {std::optional<Offset>{}, std::optional{Offset{0}}}) {
    const Appended again = append("a", "2", 2, since).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.first, first.next());
    EXPECT_EQ(again.end, end);
  }
  EXPECT_EQ(values_of(kEvents), std::vector<std::string>(3, "v"));
}

INSTANTIATE_TEST_SUITE_P(Homes, Ids, testing::ValuesIn(home_names()), name_of_home);

}  // namespace
}  // namespace lungo::contract
