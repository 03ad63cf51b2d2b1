#include "progress_bar.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tracker {
namespace {

constexpr lungo::Duration kRedraw = std::chrono::milliseconds{200};
constexpr lungo::Duration kPlainLine = std::chrono::seconds{5};
constexpr std::size_t kBarWidth = 30;

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

}  // namespace

std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

ProgressBar::ProgressBar(std::string label, bool is_terminal, lungo::Instant now, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      is_terminal_(is_terminal),
      begin_(now),
      next_(now + (is_terminal ? kRedraw : kPlainLine)) {}

void ProgressBar::show(std::uint64_t done, std::uint64_t total, std::uint64_t units, lungo::Instant now) {
  if (now < next_) return;
  next_ = now + (is_terminal_ ? kRedraw : kPlainLine);
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double share = total > 0 ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total)) : 0.0;
  std::string text = label_ + ": ";
  if (total > 0 && is_terminal_) {
    const auto filled = static_cast<std::size_t>(share * kBarWidth);
    text += "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
  }
  if (total > 0) text += std::to_string(static_cast<int>(share * 100)) + " %, ";
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(units) / elapsed);
  text += with_commas(units) + " " + unit_ + ", " + with_commas(rate) + " " + unit_ + "/s";
  if (share > 0) text += ", " + duration_text(elapsed * (1 - share) / share) + " left";
  if (is_terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
    drawn_ = true;
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (drawn_) std::fprintf(stderr, "\r\x1b[K");
  drawn_ = false;
}

}  // namespace tracker
