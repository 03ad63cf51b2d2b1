#include "progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace lungo {

Progress::Progress(std::string what, std::uint64_t total, std::function<std::string(std::uint64_t)> text)
    : what_(std::move(what)), total_(total), text_(std::move(text)), is_shown_(::isatty(STDERR_FILENO) == 1) {
  next_ = std::chrono::steady_clock::now() + std::chrono::seconds{1};  // what is done by then needs no line
}

Progress::~Progress() { clear(); }

void Progress::add(std::uint64_t bytes) {
  done_ += bytes;
  show();
}

void Progress::at(std::string what, std::uint64_t done, std::uint64_t total) {
  what_ = std::move(what);
  done_ = done;
  total_ = total;
  show();
}

void Progress::show() {
  if (!is_shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds{250};
  std::string line = what_ + ": " + text_(done_);
  if (total_ > 0) {
    const std::uint64_t percent = std::min<std::uint64_t>(99, done_ * 100 / total_);
    line += " of " + text_(total_) + " (" + std::to_string(percent) + " %)";
  }
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  has_line_ = true;
}

void Progress::clear() {
  if (has_line_) std::fputs("\r\033[K", stderr);
  has_line_ = false;
}

}  // namespace lungo
