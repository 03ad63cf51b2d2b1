// What the tests of the tracker's program share: a data directory, a log beside it, and lines to write into that.
#pragma once

#include <fstream>
#include <string>
#include <string_view>

#include "tests/samples/tracker_directory.hpp"

namespace lungo::test {

inline constexpr std::string_view kLine =
    "10.0.0.1 - - [01/Mar/2024:10:00:00 +0000] \"GET /page HTTP/1.1\" 200 1 \"-\" \"Firefox\"\n";

inline std::string line_at(int minute, const std::string& target, const std::string& agent = "Firefox") {
  const std::string clock = std::to_string(100 + minute / 60).substr(1) + ":" + std::to_string(100 + minute % 60).substr(1);
  return "10.0.0.1 - - [01/Mar/2024:" + clock + ":00 +0000] \"GET " + target + " HTTP/1.1\" 200 1 \"-\" \"" + agent + "\"\n";
}

inline void write(const std::string& path, std::string_view text, std::ios::openmode mode = std::ios::trunc) {
  std::ofstream{path, std::ios::binary | mode} << text;
}

inline std::int64_t number(const boost::json::object& object, const char* name) {
  return object.at(name).to_number<std::int64_t>();
}

class TrackerTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string data() const { return directory_ / "data"; }
  [[nodiscard]] std::string log() const { return directory_ / "access.log"; }
  boost::json::object import() const { return import_json(data(), {log()}); }
  TempDirectory directory_;
};

}  // namespace lungo::test
