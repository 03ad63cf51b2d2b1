// What a case of the contract stands on: a home's log, ways to wait on it, and the home's refusals.
//
//   TEST_P(Topics, ChangeTheirSettings) {
//     const Result<TopicInfo> altered = log->alter_topic("events", {.flush_interval = 7ms});
//     if (refused(altered)) return;  // where the home says so, and then it has to
//     EXPECT_EQ(altered->spec.flush_interval, 7ms);
//   }
//
// A case counts no offsets: where the next record goes the home says (Appended, Ends, Fetched), and follows() holds it to the
// density that it promises. Records have a time, as a home may refuse the time 0.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/home.hpp"
#include "tests/support/records.hpp"

namespace lungo::contract {

using test::append_of;

inline const TopicPartition kEvents{"events", PartitionId{0}};

/// Of one partition.
inline TopicSpec topic_named(const std::string& name, bool streams = false) {
  TopicSpec spec;
  spec.name = name;
  spec.partitions = 1;
  spec.streams = streams;
  return spec;
}

class Contract : public testing::TestWithParam<std::string> {
 protected:
  Contract() : log(home->open()) {}

  void TearDown() override { EXPECT_EQ(refusal_ == nullptr, !was_refused_) << "a refusal is declared that nothing here met"; }

  /// Whether the home refuses this case's promise; then `result` must say so.
  template <class T>
  bool refused(const Result<T>& result) {
    if (refusal_ == nullptr) return false;
    was_refused_ = true;
    if (result) {
      ADD_FAILURE() << "the promise is kept, and the home says that it is not";
      return true;
    }
    EXPECT_EQ(std::optional{result.error().code()}, refusal_->code) << result.error();
    EXPECT_NE(result.error().text().find(refusal_->words), std::string_view::npos) << result.error();
    return true;
  }
  /// The same of a promise that no call's error is about: whether it is kept shows.
  bool not_promised(bool is_kept) {
    if (refusal_ == nullptr) return false;
    was_refused_ = true;
    EXPECT_FALSE(is_kept) << "the home says that it is not kept";
    EXPECT_EQ(refusal_->code, std::nullopt);
    return true;
  }

  /// Waits until `done()`; fails the test after 20 seconds.
  void wait_for(const std::function<bool()>& done) {
    Ports ports = log->ports();
    ASSERT_TRUE(ports.executor.wait_until(done, ports.clock.monotonic() + std::chrono::seconds{20}));
  }
  /// Whether `next` is what comes behind an append, a record or a read that ended at `end`. Where a home leaves holes that is
  /// anything behind, elsewhere it is `end`.
  [[nodiscard]] static testing::AssertionResult follows(Offset end, Offset next) {
    if (next == end || (leaves_holes() && next > end)) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "offset " << next.value() << " comes behind the end " << end.value();
  }
  [[nodiscard]] static bool leaves_holes() { return refusal_of("Appends.LieSideBySide") != nullptr; }
  /// What `ask(end)` answers for the committed end; asked again if that has moved meanwhile, as it may where there are holes.
  template <class Ask>
  auto ask_at_end(const Ask& ask) {
    while (true) {
      const Offset end = log->ends(kEvents).value().committed;
      auto answer = ask(end);
      if (log->ends(kEvents).value().committed == end) return answer;
    }
  }
  /// The values of all committed records from `from` on, where one lies.
  std::vector<std::string> values_of(const TopicPartition& partition, Offset from = Offset{0}) {
    constexpr std::size_t kReadBytes = 64 << 10;
    std::vector<std::string> values;
    Offset end = from;
    for (Offset at = from;;) {
      const Fetched fetched = log->read(partition, at, kReadBytes).value();
      if (fetched.empty()) return values;
      RecordCursor records = fetched.records();
      while (const RecordView* record = records.next()) {
        EXPECT_TRUE(follows(end, record->offset));
        values.emplace_back(as_text(record->value));
        end = record->offset.next();
      }
      if (records.error()) throw Exception(*records.error());
      if (fetched.next().offset <= at) throw std::runtime_error("a read ended where it began");
      at = fetched.next().offset;
    }
  }
  Appended append(std::string_view value) { return append_wait(*log, append_of(kEvents, "k", value)).value(); }
  /// Submits; each outcome, "ok" or a code, joins `outcomes`, and `written` what came of those.
  void submit(AppendRequest request) {
    log->append(std::move(request), [this](const Result<Appended>& result) {
      outcomes.push_back(result ? "ok" : std::string(to_string(result.error().code())));
      if (result) written.push_back(*result);
      ++answered;
      log->ports().executor.notify();
    });
  }

  const std::unique_ptr<Home> home = home_named(GetParam()).make();
  std::shared_ptr<EventLog> log;
  std::vector<std::string> outcomes;  // completions of one partition never overlap
  std::vector<Appended> written;
  std::atomic<int> answered{0};

 private:
  static const Refusal* refusal_of(std::string_view name) {
    const auto& refusals = home_named(GetParam()).refusals;
    const auto found = refusals.find(name);
    return found == refusals.end() ? nullptr : &found->second;
  }
  /// "Homes/Suite.Case/home" is the case "Suite.Case".
  static std::string case_name(const testing::TestInfo& test) {
    const std::string suite = test.test_suite_name();
    const std::string name = test.name();
    return suite.substr(suite.find('/') + 1) + "." + name.substr(0, name.find('/'));
  }

  const Refusal* const refusal_ = refusal_of(case_name(*testing::UnitTest::GetInstance()->current_test_info()));
  bool was_refused_ = false;
};

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string name_of_home(const testing::TestParamInfo<std::string>& home) { return home.param; }

}  // namespace lungo::contract
