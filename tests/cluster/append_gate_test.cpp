// Goal: an append waits while its partition may become ours, keeps its order, comes back from a rebalance, and is answered
// once.
#include "client/append_gate.hpp"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/records.hpp"

namespace lungo::test {
namespace {

using Way = AppendGate::Way;
using Values = std::vector<std::string>;
using namespace std::chrono_literals;

class AppendGates : public testing::Test {
 protected:
  struct Written {
    std::string value;
    Completion completion;
  };

  void submit(const std::string& value, Duration timeout = 10s) {
    gate.submit(
        append_of(kStream, "k", value),
        [this, value](const Result<Appended>& outcome) {
          if (!outcome) last_words = outcome.error().text();
          answers.push_back(value + (outcome ? " ok" : " " + std::string(to_string(outcome.error().code()))));
        },
        clock.monotonic() + timeout);
  }
  Values values() {
    Values all;
    for (const Written& one : written) all.push_back(one.value);
    return all;
  }
  static std::string value_of(const AppendRequest& request) {
    return std::string(as_text(parse_record_body(request.records.body(0))->value));
  }

  const TopicPartition kStream{"events", PartitionId{0}};
  ManualClock clock;
  Way way = Way::coming;
  std::vector<Written> written;
  Values answers;
  std::optional<Error> trouble;
  std::string last_words;
  bool is_nobodys = false;
  AppendGate gate{{.way = [this](const AppendRequest&) { return Result<Way>{way}; },
                   .write =
                       [this](const AppendRequest& request, Completion completion, Instant) {
                         written.push_back({value_of(request), std::move(completion)});
                       },
                   .refuse =
                       [this](const AppendRequest& request, const Completion& completion, Instant deadline) {
                         if (is_nobodys) return gate.wait(request, completion, deadline);
                         completion(Error{Errc::not_owner, "another's"});
                       },
                   .trouble = [this](const TopicPartition&) { return trouble; }},
                  1'000,
                  clock};
};

TEST_F(AppendGates, WhatWaitsGoesInItsOrder) {
  submit("a");
  submit("b");
  gate.look_again();
  EXPECT_EQ(values(), Values{});
  way = Way::open;
  submit("c");
  EXPECT_EQ(values(), Values{}) << "behind those that wait";
  gate.look_again();
  EXPECT_EQ(values(), (Values{"a", "b", "c"}));
  submit("d");
  EXPECT_EQ(values().size(), 4u);
  EXPECT_EQ(answers, Values{});
}

TEST_F(AppendGates, WhatIsNobodysWaitsUntilItIsSomebodys) {
  way = Way::away;
  is_nobodys = true;
  submit("a");
  submit("b", 3s);
  gate.look_again();
  EXPECT_EQ(answers, Values{});
  way = Way::open;
  gate.look_again();
  EXPECT_EQ(values(), (Values{"a", "b"}));
  way = Way::away;
  submit("c", 3s);
  submit("d");
  clock.advance(4s);
  gate.look_again();
  EXPECT_EQ(answers, (Values{"c timed_out"}));
  is_nobodys = false;
  gate.look_again();
  EXPECT_EQ(answers, (Values{"c timed_out", "d not_owner"}));
}

TEST_F(AppendGates, WhatARebalanceSendsBackWaitsAgain) {
  way = Way::open;
  submit("a");
  way = Way::coming;
  written.at(0).completion(Error{Errc::not_owner, "let go"});
  EXPECT_EQ(answers, Values{});
  way = Way::open;
  gate.look_again();
  ASSERT_EQ(values(), (Values{"a", "a"}));
  written.at(1).completion(Appended{});
  EXPECT_EQ(answers, Values{"a ok"});
}

TEST_F(AppendGates, WhatIsAnothersIsRefused) {
  submit("a");
  way = Way::away;
  submit("b");
  gate.look_again();
  EXPECT_EQ(answers, (Values{"b not_owner", "a not_owner"}));
}

TEST_F(AppendGates, WhatIsAnybodysIsNotKept) {
  way = Way::anybodys;
  submit("a");
  written.at(0).completion(Error{Errc::not_owner, "said by the writer"});
  EXPECT_EQ(answers, Values{"a not_owner"});
}

TEST_F(AppendGates, WhoWaitsForTooLongIsTold) {
  submit("a", 5s);
  clock.advance(5s);
  gate.look_again();
  EXPECT_EQ(answers, Values{"a timed_out"});
}

TEST_F(AppendGates, WhoWaitsForTooLongIsToldWhatIsWrong) {
  trouble = Error{Errc::io, "no right to read"};
  submit("a", 5s);
  clock.advance(5s);
  gate.look_again();
  EXPECT_EQ(answers, Values{"a io"}) << "that lasts";
  EXPECT_EQ(last_words, "events-0 took no append in time; it is not written: no right to read");
  trouble = Error{Errc::timed_out, "nobody answers"};
  submit("b", 5s);
  clock.advance(5s);
  gate.look_again();
  EXPECT_EQ(answers.back(), "b timed_out");
}

TEST_F(AppendGates, WhatWaitsIsBounded) {
  submit(std::string(900, 'a'));
  submit(std::string(900, 'b'));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0], std::string(900, 'b') + " busy");
}

TEST_F(AppendGates, ItsEndAnswersAll) {
  submit("a");
  gate.close(Error{Errc::closed, "the log is closed"});
  submit("b");
  EXPECT_EQ(answers, (Values{"a closed", "b closed"}));
}

}  // namespace
}  // namespace lungo::test
