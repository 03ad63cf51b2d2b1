// What a case of the contract stands on: a home's log, ways to wait on it, and the home's refusals.
//
//   TEST_P(Topics, ChangeTheirSettings) {
//     const Result<TopicInfo> altered = log->alter_topic("events", {.flush_interval = 7ms});
//     if (refused(altered)) return;  // where the home says so, and then it has to
//     EXPECT_EQ(altered->spec.flush_interval, 7ms);
//   }
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/contract/home.hpp"
#include "tests/support/records.hpp"

namespace lungo::contract {

using test::append_of;
using test::values_of;

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
    EXPECT_EQ(result.error().code(), refusal_->code);
    EXPECT_NE(result.error().text().find(refusal_->words), std::string_view::npos) << result.error();
    return true;
  }

  /// Waits until `done()`; fails the test after 20 seconds.
  void wait_for(const std::function<bool()>& done) {
    Ports ports = log->ports();
    ASSERT_TRUE(ports.executor.wait_until(done, ports.clock.monotonic() + std::chrono::seconds{20}));
  }
  Appended append(std::string_view value) { return append_wait(*log, append_of(kEvents, "k", value)).value(); }
  /// Submits; each outcome, "ok" or a code, joins `outcomes`.
  void submit(AppendRequest request) {
    log->append(std::move(request), [this](const Result<Appended>& result) {
      outcomes.push_back(result ? "ok" : std::string(to_string(result.error().code())));
      ++answered;
      log->ports().executor.notify();
    });
  }

  const std::unique_ptr<Home> home = home_named(GetParam()).make();
  std::shared_ptr<EventLog> log;
  std::vector<std::string> outcomes;  // completions of one partition never overlap
  std::atomic<int> answered{0};

 private:
  static const Refusal* declared() {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    const auto& refusals = home_named(GetParam()).refusals;
    const auto found = refusals.find(case_name(test));
    return found == refusals.end() ? nullptr : &found->second;
  }
  /// "Homes/Suite.Case/home" is the case "Suite.Case".
  static std::string case_name(const testing::TestInfo& test) {
    const std::string suite = test.test_suite_name();
    const std::string name = test.name();
    return suite.substr(suite.find('/') + 1) + "." + name.substr(0, name.find('/'));
  }

  const Refusal* const refusal_ = declared();
  bool was_refused_ = false;
};

/// For INSTANTIATE_TEST_SUITE_P.
inline std::string name_of_home(const testing::TestParamInfo<std::string>& home) { return home.param; }

}  // namespace lungo::contract
