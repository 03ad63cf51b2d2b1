#include "tests/support/log_lines.hpp"

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

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
  const std::string level_mark = "[" + std::string(level) + "]";
  std::istringstream lines{parts_->out.str()};
  int found = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(level_mark) != std::string::npos && line.find(text) != std::string::npos) ++found;
  }
  return found;
}

}  // namespace lungo::test
