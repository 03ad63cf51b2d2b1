// Goal: whichever system call of `lungo log produce` fails, once or from then on, it stops in order and says how much was
// written, and all of that is there. Method: strace makes the n-th call of a kind fail, for n = 1, 2, 3, ... until none is
// left.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

#include "tests/log/tools/log_program.hpp"

namespace lungo::test {
namespace {

namespace fs = std::filesystem;

constexpr int kBefore = 5;     // records that are there
constexpr int kProduced = 10;  // that each run appends, one by one and synced
constexpr int kCallsMax = 400;

struct FailingCall {
  const char* name;
  const char* error;
  bool for_ever;  // and not only the n-th
  friend std::ostream& operator<<(std::ostream& out, const FailingCall& call) {
    return out << call.name << '_' << call.error << (call.for_ever ? "_ForEver" : "_Once");
  }
};

std::string lines(int from, int end) {
  std::string text;
  for (int i = from; i < end; ++i) text += "v" + std::to_string(i) + "\n";
  return text;
}

/// How often a records' file was synced, by a trace of `fdatasync` with `-f` and `-y`. Where another thread's call comes
/// between, a call's line is in two: `7 fdatasync(5</d/0.log> <unfinished ...>` and `7 <... fdatasync resumed>) = 0`.
int syncs_of_records(const std::string& text) {
  std::istringstream trace{text};
  std::set<std::string> waiting;  // the threads whose call on a records' file is unfinished
  int count = 0;
  for (std::string line; std::getline(trace, line);) {
    const std::string thread = line.substr(0, line.find(' '));
    const bool is_resumed = line.find("resumed>") != std::string::npos;
    const bool is_of_records = is_resumed ? waiting.erase(thread) == 1 : line.find(".log>") != std::string::npos;
    if (!is_of_records) continue;
    if (line.ends_with("<unfinished ...>")) {
      waiting.insert(thread);
    } else if (line.find("= 0") != std::string::npos) {
      ++count;
    }
  }
  return count;
}

TEST(StraceLines, CallsInTwoPartsAreCountedOnce) {
  EXPECT_EQ(syncs_of_records("7 fdatasync(5</d/0.log>) = 0\n"
                             "7 fdatasync(5</d/0.index>) = 0\n"
                             "7 fdatasync(5</d/0.log>) = -1 EIO (Input/output error) (INJECTED)\n"),
            1);
  EXPECT_EQ(syncs_of_records("7 fdatasync(5</d/0.log> <unfinished ...>\n"
                             "8 fdatasync(6</d/0.index> <unfinished ...>\n"
                             "8 <... fdatasync resumed>)  = 0\n"
                             "7 <... fdatasync resumed>)  = 0\n"
                             "7 fdatasync(5</d/0.log> <unfinished ...>\n"
                             "7 <... fdatasync resumed>)  = -1 EIO (Input/output error) (INJECTED)\n"),
            1);
}

class EveryCallOfTheProgram : public testing::TestWithParam<FailingCall> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists("/usr/bin/strace")) << "this test needs strace";
    std::ofstream(directory_ / "input") << lines(kBefore, kBefore + kProduced);
    ASSERT_EQ(run({log_program(), "topics", "create", "orders", "--partitions", "1", "--dir", made_}).status, 0);
    std::ofstream(directory_ / "before") << lines(0, kBefore);
    ASSERT_EQ(produce({}, directory_ / "before", made_).status, 0);
  }

  using Words = std::vector<std::string>;

  [[nodiscard]] Finished produce(const Words& tracer, const std::string& input, const std::string& data) const {
    Words command{"/bin/sh", "-c", "exec \"$@\" < \"$0\"", input};
    command.insert(command.end(), tracer.begin(), tracer.end());
    const Words arguments{"produce", "orders", "--durability", "synced", "--batch", "1", "--dir", data};
    command.push_back(log_program());
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command);
  }

  [[nodiscard]] Words failing(const FailingCall& call, int n) const {
    const std::string when = ":when=" + std::to_string(n) + (call.for_ever ? "+" : "");
    return {"/usr/bin/strace",
            "-f",
            "-qq",
            "-y",
            "-o",
            trace_,
            "-e",
            "trace=" + std::string(call.name),
            "-e",
            "inject=" + std::string(call.name) + ":error=" + call.error + when};
  }

  /// What even keeps the program from printing its help is the business of whoever loads it.
  [[nodiscard]] bool fails_to_load(const FailingCall& call, int n) const {
    Words command = failing(call, n);
    command.insert(command.end(), {log_program(), "--help"});
    return run(command).status != 0;
  }

  /// The n-th call fails. False: there is none.
  [[nodiscard]] bool fail_call(const FailingCall& call, int n) const {
    fs::remove_all(data_);
    fs::copy(made_, data_, fs::copy_options::recursive);
    const Finished finished = produce(failing(call, n), directory_ / "input", data_);
    const bool was_injected = text_of(trace_).find("(INJECTED)") != std::string::npos;
    if (was_injected && finished.status >= 126 && fails_to_load(call, n)) return true;
    EXPECT_LT(finished.status, 126) << "it ends by itself: " << finished.err;
    const std::optional<int> acknowledged = written(finished);
    if (finished.status == 0) {
      EXPECT_EQ(acknowledged, kProduced) << finished.err;
    } else {
      EXPECT_FALSE(finished.err.empty()) << "and says why";
    }
    if (std::string_view{call.name} == "fdatasync") {
      EXPECT_LE(acknowledged.value_or(0), syncs_of_records(text_of(trace_))) << "each was waited for";
    }
    if (was_injected) look(acknowledged);
    return was_injected;
  }

  /// What it says that it has written, once it has come so far.
  [[nodiscard]] static std::optional<int> written(const Finished& finished) {
    std::smatch found;
    const std::string text = finished.out + finished.err;
    if (!std::regex_search(text, found, std::regex{"([0-9]+) records? (was |were )?written"})) return std::nullopt;
    return std::stoi(found[1]);
  }

  /// What was there, all that was acknowledged, and behind it nothing but what was sent.
  void look(std::optional<int> acknowledged) const {
    // A writer that opens it recovers; where the last one could not tell readers how far it had come, they don't see all
    // before.
    EXPECT_EQ(produce({}, "/dev/null", data_).status, 0);
    const Finished verified = run({log_program(), "verify", "--dir", data_});
    EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
    const Finished consumed = run({log_program(), "consume", "orders", "--dir", data_});
    EXPECT_EQ(consumed.status, 0) << consumed.err;
    const std::string all = lines(0, kBefore + kProduced);
    EXPECT_TRUE(all.starts_with(consumed.out)) << consumed.out;
    EXPECT_GE(lines_of(consumed.out), kBefore + acknowledged.value_or(0)) << consumed.out;
    if (!acknowledged) {
      EXPECT_EQ(lines_of(consumed.out), kBefore) << "it had not begun";
    }
  }

  const TempDirectory directory_;
  const std::string made_ = directory_ / "made";
  const std::string data_ = directory_ / "data";
  const std::string trace_ = directory_ / "trace";
};

TEST_P(EveryCallOfTheProgram, MayFail) {
  int n = 1;
  for (; n <= kCallsMax; ++n) {
    SCOPED_TRACE(n);
    if (!fail_call(GetParam(), n)) break;
    if (HasFailure()) return;
  }
  EXPECT_GT(n, 1) << "no such call is made";
  EXPECT_LE(n, kCallsMax);
}

INSTANTIATE_TEST_SUITE_P(Strace, EveryCallOfTheProgram,
                         testing::Values(FailingCall{"pwrite64", "EIO", false}, FailingCall{"pwrite64", "ENOSPC", false},
                                         FailingCall{"pwrite64", "ENOSPC", true}, FailingCall{"pwrite64", "EINTR", false},
                                         FailingCall{"fdatasync", "EIO", false}, FailingCall{"fdatasync", "EIO", true},
                                         FailingCall{"fsync", "EIO", false}, FailingCall{"openat", "EMFILE", false},
                                         FailingCall{"openat", "EIO", true}, FailingCall{"pread64", "EIO", false},
                                         FailingCall{"pread64", "EINTR", false}, FailingCall{"fallocate", "ENOSPC", true},
                                         FailingCall{"ftruncate", "EIO", false}, FailingCall{"rename", "EIO", false},
                                         FailingCall{"unlink", "EIO", false}, FailingCall{"getdents64", "EIO", false},
                                         FailingCall{"mmap", "ENOMEM", false}, FailingCall{"mmap", "ENOMEM", true},
                                         FailingCall{"clone3", "EAGAIN", false}),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace lungo::test
