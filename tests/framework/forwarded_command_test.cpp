// The bytes between processes: what goes comes back the same, and what is wrong is refused, whatever it is.
#include <lungo/framework/forwarded_command.hpp>

#include <gtest/gtest.h>

#include <lungo/framework/forward_server.hpp>
#include "tests/framework/accounts.hpp"
#include "tests/support/random.hpp"

namespace forwarded_command_tests {

using namespace lungo;
using namespace lungo::detail;
using namespace std::chrono_literals;

using aggregates_tests::Account;
using aggregates_tests::Deposit;
using aggregates_tests::Withdraw;

Bytes bytes_from(std::string_view hex) {
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

ForwardedCommand whole_command() {
  static const Bytes payload = bytes_from("0102030405");
  ForwardedCommand command;
  command.timeout = 1500ms;
  command.attempts = 10;
  command.category = "Account";
  command.scope = "shop-7";
  command.id = "ada";
  command.since = Offset{1'000'000};
  command.time = Timestamp{-5ms};
  command.command_id = "id-1";
  command.correlation = "c";
  command.causation = "d";
  command.lane = "import";
  command.headers = {{"a", as_bytes("1"), true}, {"b", {}, false}, {"", {}, true}};
  command.type = "Deposit";
  command.shape.fill(std::byte{0xab});
  command.payload = payload;
  return command;
}

ForwardedAnswer commit_of_tolls() {
  return {Commit{{"tolls", PartitionId{3}}, Offset{42}, Offset{43}, false, LeaderEpoch{1}}, {}};
}

TEST(ForwardedCommand, ComesAsItWent) {
  const Bytes bytes = to_bytes(whole_command()).value();
  const ForwardedCommand command = parse_forwarded_command(bytes).value();
  EXPECT_EQ(command.timeout, 1500ms);
  EXPECT_EQ(command.attempts, 10);
  EXPECT_EQ(command.scope, "shop-7");
  EXPECT_EQ(command.since, Offset{1'000'000});
  EXPECT_EQ(command.time, Timestamp{-5ms});
  ASSERT_EQ(command.headers.size(), 3u);
  EXPECT_FALSE(command.headers[1].has_value);
  EXPECT_TRUE(command.headers[2].has_value);
  EXPECT_EQ(command.payload.size(), 5u);
  EXPECT_EQ(to_bytes(command).value(), bytes) << "and all the rest of it";

  const Bytes little = to_bytes({.category = "C", .type = "T"}).value();
  const ForwardedCommand least = parse_forwarded_command(little).value();
  EXPECT_FALSE(least.since || least.time);
  EXPECT_EQ(to_bytes(least).value(), little);
}

TEST(ForwardedCommand, ItsAnswerIsThatOfTheHeader) {
  const Bytes bytes = to_bytes(commit_of_tolls());
  EXPECT_EQ(bytes, bytes_from("4c46010205746f6c6c73032a2b0002"));
  const ForwardedAnswer answer = parse_forwarded_answer(bytes).value();
  ASSERT_TRUE(answer.outcome);
  EXPECT_EQ(answer.outcome->partition, (TopicPartition{"tolls", PartitionId{3}}));
  EXPECT_EQ(answer.outcome->end, Offset{43});
  EXPECT_EQ(answer.outcome->epoch, LeaderEpoch{1});
}

TEST(ForwardedCommand, ErrorsComeAsTheyWent) {
  for (const Error& error : {Error{Errc::rejected, "no"}, Error{Errc::conflict, "", Offset{7}}}) {
    const ForwardedAnswer answer = parse_forwarded_answer(to_bytes(ForwardedAnswer{error, "b:80"})).value();
    ASSERT_FALSE(answer.outcome);
    EXPECT_EQ(answer.outcome.error(), error.code());
    EXPECT_EQ(answer.outcome.error().text(), error.text());
    EXPECT_EQ(answer.outcome.error().offset(), error.offset());
    EXPECT_EQ(answer.endpoint, "b:80");
  }
  const Error long_one{Errc::rejected, std::string(2 * kForwardedBytesMax, 'x')};
  EXPECT_LE(to_bytes(ForwardedAnswer{long_one, {}}).size(), kForwardedBytesMax);
}

TEST(ForwardedCommand, AnErrorOfANewerVersionIsStillAnError) {
  Bytes bytes = to_bytes(ForwardedAnswer{Error{Errc::rejected, "no"}, {}});
  bytes[4] = std::byte{120};
  const ForwardedAnswer answer = parse_forwarded_answer(bytes).value();
  EXPECT_EQ(answer.outcome.error(), Errc::io);
  EXPECT_EQ(answer.outcome.error().text(), "error 120 of a newer version: no");
}

TEST(ForwardedCommand, ANewerVersionIsRefusedByName) {
  for (Bytes bytes : {to_bytes(whole_command()).value(), to_bytes(commit_of_tolls())}) {
    bytes[2] = std::byte{2};
    EXPECT_EQ(parse_forwarded_command(bytes).error(), Errc::newer_format);
    EXPECT_EQ(parse_forwarded_answer(bytes).error(), Errc::newer_format);
    bytes[2] = std::byte{0};
    EXPECT_EQ(parse_forwarded_command(bytes).error(), Errc::invalid_argument);
  }
}

TEST(ForwardedCommand, OneThatIsTooLargeIsRefusedOnBothSides) {
  ForwardedCommand command = whole_command();
  const Bytes payload(kForwardedBytesMax);
  command.payload = payload;
  EXPECT_EQ(to_bytes(command).error(), Errc::too_large);
  EXPECT_EQ(parse_forwarded_command(Bytes(kForwardedBytesMax + 1)).error(), Errc::too_large);
  command.payload = BytesView{payload}.first(kForwardedBytesMax - 200);
  EXPECT_TRUE(to_bytes(command));
}

TEST(ForwardedCommand, TheOneIsNotTakenForTheOther) {
  EXPECT_EQ(parse_forwarded_answer(to_bytes(whole_command()).value()).error(), Errc::invalid_argument);
  EXPECT_EQ(parse_forwarded_command(to_bytes(commit_of_tolls())).error(), Errc::invalid_argument);
  EXPECT_EQ(parse_forwarded_query(to_bytes(whole_command()).value()).error(), Errc::invalid_argument);
  EXPECT_EQ(parse_query_answer(to_bytes(commit_of_tolls())).error(), Errc::invalid_argument);
  EXPECT_EQ(kind_of_request(query_answer(Bytes{})).error(), Errc::invalid_argument);
}

TEST(ForwardedQuery, ComesAsItWentAndSoDoesItsAnswer) {
  const Bytes asked = bytes_from("00ff10");
  const Bytes bytes = to_bytes(ForwardedQuery{"rows", asked}).value();
  EXPECT_EQ(bytes, bytes_from("4c46010504726f77730300ff10"));
  EXPECT_EQ(kind_of_request(bytes).value(), ForwardedKind::query);
  const ForwardedQuery query = parse_forwarded_query(bytes).value();
  EXPECT_EQ(query.to, "rows");
  EXPECT_EQ(Bytes(query.query.begin(), query.query.end()), asked);
  EXPECT_EQ(parse_query_answer(query_answer(asked)).value(), asked);
  const Result<Bytes> refused = parse_query_answer(query_answer(Error{Errc::busy, "not yet", Offset{7}}));
  EXPECT_EQ(to_string(refused.error()), to_string(Error{Errc::busy, "not yet", Offset{7}}));
  EXPECT_EQ(parse_query_answer(query_answer(Bytes(kForwardedBytesMax))).error(), Errc::too_large);
  const Bytes large(kForwardedBytesMax);
  EXPECT_EQ(to_bytes(ForwardedQuery{"rows", large}).error(), Errc::too_large);
}

TEST(ForwardedQuery, WhatIsCutOffIsRefused) {
  const Bytes asked = bytes_from("00ff10");
  const Bytes query = to_bytes(ForwardedQuery{"rows", asked}).value();
  for (std::size_t end = 0; end < query.size(); ++end)
    EXPECT_EQ(parse_forwarded_query(BytesView{query}.first(end)).error(), Errc::invalid_argument) << end;
  const Bytes answer = query_answer(asked);
  for (std::size_t end = 0; end < answer.size(); ++end)
    EXPECT_EQ(parse_query_answer(BytesView{answer}.first(end)).error(), Errc::invalid_argument) << end;
}

TEST(ForwardedCommand, NumbersThatCantBeAreRefused) {
  const auto refused = [](std::string_view hex, std::string_view why) {
    const Result<ForwardedAnswer> answer = parse_forwarded_answer(bytes_from(hex));
    ASSERT_FALSE(answer) << hex;
    EXPECT_EQ(answer.error(), Errc::invalid_argument) << hex;
    EXPECT_NE(answer.error().text().find(why), std::string_view::npos) << answer.error();
  };
  refused("4c46010205746f6c6c73ffffffff0f2a2b0002", "a partition above the largest one");
  refused("4c46010205746f6c6c7303ffffffffffffffffff012b0002", "an offset above the largest one");
  refused("4c46010205746f6c6c73032b2a0002", "an end below its beginning");
  refused("4c46010205746f6c6c73032a2b0202", "neither 0 nor 1");
  refused("4c46010205746f6c6c73032a2b0003", "an epoch that can't be");
  refused("4c46010205746f6c6c73032a2b000200", "bytes left over");
  refused("4c460102ff746f6c6c73", "beyond the end");
}

/// Every byte cut off, every bit turned, and noise: refused or whole, and never more than the bytes say.
TEST(ForwardedCommand, WhateverTheBytesAreTheyAreRefusedOrRead) {
  test::Random random{test::test_seed(1)};
  const auto look = [](const Bytes& bytes) {
    // In memory of its own, so that a sanitizer sees each look behind the end.
    const Bytes copy(bytes);
    if (const Result<ForwardedCommand> command = parse_forwarded_command(copy)) {
      EXPECT_EQ(to_bytes(*command).value(), copy) << "there is one way to write it";
    } else {
      EXPECT_TRUE(command.error() == Errc::invalid_argument || command.error() == Errc::newer_format) << command.error();
    }
    if (const Result<ForwardedAnswer> answer = parse_forwarded_answer(copy); !answer) {
      EXPECT_TRUE(answer.error() == Errc::invalid_argument || answer.error() == Errc::newer_format) << answer.error();
    }
  };
  for (const Bytes& whole : {to_bytes(whole_command()).value(), to_bytes(commit_of_tolls()),
                             to_bytes(ForwardedAnswer{Error{Errc::conflict, "text", Offset{7}}, "host:80"})}) {
    for (std::size_t end = 0; end < whole.size(); ++end) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(end));
      EXPECT_EQ(parse_forwarded_command(cut).error(), Errc::invalid_argument) << end;
      EXPECT_EQ(parse_forwarded_answer(cut).error(), Errc::invalid_argument) << end;
    }
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      Bytes turned = whole;
      turned[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      look(turned);
    }
    for (int round = 0; round < 20'000; ++round) {
      Bytes noise = whole;
      for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
        noise[random.below(noise.size())] = static_cast<std::byte>(random.below(256));
      }
      look(noise);
    }
  }
}

// ---- the server ----

struct Bank : Account {
  static constexpr std::string_view category = "Account";
  using Commands = lungo::commands<Deposit, Withdraw>;
};

class ForwardServerTest : public testing::Test {
 protected:
  ForwardServerTest() {
    EXPECT_TRUE(accounts.execute("ada", Deposit{100}));
    server.add(accounts);
    const Shape* const shape = &shape_of<Deposit>();
    EXPECT_TRUE(store.shapes().publish({&shape, 1}));
    encode(Deposit{5}, payload);
  }
  [[nodiscard]] ForwardedCommand deposit() const {
    ForwardedCommand command;
    command.timeout = 5s;
    command.category = "Account";
    command.id = "ada";
    command.type = "Deposit";
    command.shape = shape_of<Deposit>().hash();
    command.payload = payload;
    return command;
  }
  Result<Commit> serve(const Bytes& bytes) {
    int answers = 0;
    Result<Commit> outcome = Error{Errc::timed_out, "no answer"};
    server.serve(bytes, [&](const Bytes& answer) {
      ++answers;
      outcome = parse_forwarded_answer(answer).value().outcome;
    });
    simulation.executor.run_for(10ms);
    EXPECT_EQ(answers, 1);
    return outcome;
  }
  std::int64_t cents() { return accounts.load("ada").value().state.cents; }

  test::Simulation simulation{1};
  EventStore store{std::make_shared<test::MemoryEventLog>(simulation.ports())};
  Aggregates<Bank> accounts{store};
  ForwardServer server{store};
  Bytes payload;
};

TEST_F(ForwardServerTest, ExecutesWhatItIsGiven) {
  const Result<Commit> commit = serve(to_bytes(deposit()).value());
  ASSERT_TRUE(commit) << commit.error();
  EXPECT_EQ(cents(), 105);
}

TEST_F(ForwardServerTest, NamesWhatItDoesNotTake) {
  const auto refused = [&](ForwardedCommand command) {
    const Result<Commit> outcome = serve(to_bytes(command).value());
    return outcome ? "done" : to_string(outcome.error());
  };
  ForwardedCommand command = deposit();
  command.category = "Visit";
  EXPECT_EQ(refused(command), "invalid_argument: no decider Visit takes commands from other processes");
  command = deposit();
  command.type = "Break";  // which decide() has, and Commands have not
  EXPECT_EQ(refused(command), "invalid_argument: Account takes no command Break from other processes");
  command = deposit();
  command.payload = {};
  EXPECT_TRUE(refused(command).starts_with("invalid_argument: Deposit")) << refused(command);
  command = deposit();
  command.shape.fill(std::byte{1});
  EXPECT_TRUE(refused(command).starts_with("unknown_shape: ")) << refused(command);
  EXPECT_EQ(cents(), 100);
}

TEST_F(ForwardServerTest, AnswersQueriesByWhoHasRegistered) {
  server.answer_queries("echo", [](BytesView query) -> Result<Bytes> {
    if (query.empty()) return Error{Errc::busy, "nothing said"};
    return Bytes(query.begin(), query.end());
  });
  const auto ask = [this](std::string_view to, const Bytes& query) {
    Result<Bytes> answered = Error{Errc::timed_out, "no answer"};
    server.serve(to_bytes(ForwardedQuery{to, query}).value(),
                 [&](const Bytes& answer) { answered = parse_query_answer(answer); });
    return answered;
  };
  EXPECT_EQ(ask("echo", payload).value(), payload);
  EXPECT_EQ(ask("echo", {}).error(), Errc::busy);
  EXPECT_EQ(to_string(ask("rows", payload).error()), "invalid_argument: nobody answers queries to rows");
}

TEST_F(ForwardServerTest, AnswersEachOnceWhateverItsBytesAre) {
  test::Random random{test::test_seed(1)};
  const Bytes whole = to_bytes(deposit()).value();
  int executed = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = whole;
    for (std::uint64_t edits = 1 + random.below(3); edits > 0; --edits) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    if (random.one_in(3)) bytes.resize(random.below(bytes.size()));
    const Result<Commit> outcome = serve(bytes);
    executed += outcome ? 1 : 0;
  }
  EXPECT_GT(executed, 0) << "another amount is as good a command";
  EXPECT_LT(executed, 2000);
}

}  // namespace forwarded_command_tests
