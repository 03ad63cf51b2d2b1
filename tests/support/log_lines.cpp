#include "tests/support/log_lines.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <utility>

namespace lungo::test {

struct LogLines::Parts {
  const std::string folder;
  std::ostringstream out;
};

LogLines::LogLines(std::string folder) : parts_(new Parts{std::move(folder), {}}) {
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(parts_->out);
  spdlog::register_logger(std::make_shared<spdlog::logger>(parts_->folder, sink));
}

LogLines::~LogLines() { spdlog::drop(parts_->folder); }

int LogLines::count(std::string_view level, std::string_view text) const {
  const std::vector<std::string> lines = of(level);
  return static_cast<int>(
      std::ranges::count_if(lines, [text](const std::string& line) { return line.find(text) != std::string::npos; }));
}

std::vector<std::string> LogLines::of(std::string_view level) const {
  const std::string level_mark = "[" + std::string(level) + "] ";
  std::istringstream lines{parts_->out.str()};
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t mark = line.find(level_mark);
    if (mark != std::string::npos) found.push_back(line.substr(mark + level_mark.size()));
  }
  return found;
}

}  // namespace lungo::test
