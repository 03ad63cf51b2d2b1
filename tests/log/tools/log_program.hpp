// `lungo log` as a user runs it: a process of its own on a data directory of the test's.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include <lungo/log/local_event_log.hpp>
#include "tests/samples/program.hpp"

namespace lungo::test {

inline std::string log_program() { return std::string(LUNGO_PROGRAMS) + "/lungo-log"; }

class LogProgram : public testing::Test {
 protected:
  /// Runs `lungo log ARGUMENTS --dir DATA` with this standard input.
  Finished log(std::vector<std::string> arguments, const std::string& input = "") const {
    std::ofstream(directory / "input", std::ios::binary) << input;
    arguments.insert(arguments.begin(), {"/bin/sh", "-c", "exec \"$@\" < \"$0\"", directory / "input", log_program()});
    arguments.insert(arguments.end(), {"--dir", data});
    return test::run(arguments);
  }
  /// The same through a shell script, in which `log` runs it.
  Finished shell(const std::string& script) const {
    return test::run(
        {"/bin/bash", "-c", "data='" + data + "'; log() { \"$0\" \"$@\" --dir \"$data\"; }\n" + script, log_program()});
  }
  /// The command for a Program of the test's own.
  std::vector<std::string> command(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), log_program());
    arguments.insert(arguments.end(), {"--dir", data});
    return arguments;
  }

  /// Makes the topic `orders` of one partition with these values, a second apart from 2024-05-01 on; keys are k0, k1, ...
  void make_orders(int records, std::int32_t partitions = 1) const {
    const Finished made = log({"topics", "create", "orders", "--partitions", std::to_string(partitions)});
    ASSERT_EQ(made.status, 0) << made.err;
    std::string lines;
    for (int i = 0; i < records; ++i)
      lines += "{\"key\":\"k" + std::to_string(i) + "\",\"value\":\"v" + std::to_string(i) +
               "\",\"timestamp\":" + std::to_string(1'714'521'600'000 + 1000 * i) + "}\n";
    const Finished produced = log({"produce", "orders", "--json"}, lines);
    ASSERT_EQ(produced.status, 0) << produced.err;
  }

  /// Every file below the data directory with its size and the time of its last change.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data)) {
      const auto changed = entry.last_write_time().time_since_epoch().count();
      files[entry.path()] = std::to_string(entry.is_regular_file() ? entry.file_size() : 0) + " " + std::to_string(changed);
    }
    return files;
  }

  const TempDirectory directory;
  const std::string data = directory / "data";
};

/// `text` with topic ids and the time of the test made the same in every run.
inline std::string masked(std::string text) {
  text = std::regex_replace(text, std::regex{"\"id\":\"[A-Za-z0-9_-]{22}\""}, "\"id\":\"ID\"");
  text = std::regex_replace(text, std::regex{"id [A-Za-z0-9_-]{22}\n"}, "id ID\n");
  return text;
}

inline int lines_of(const std::string& text) { return static_cast<int>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace lungo::test
