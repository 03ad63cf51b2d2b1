// Times as the text that rows are keyed by: "2015-05-17", "2015-05-17 10", "2015-05-17 10:05". They sort as the times do.
//
// Threads: pure functions and values.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace tracker {

enum class TimeUnit : std::size_t { day = 10, hour = 13, minute = 16 };  // the text's length

/// A short text without memory of its own on the heap; a projection's key() may return it.
class TimeText {
 public:
  TimeText(std::chrono::sys_seconds time, TimeUnit unit) : size_(static_cast<std::size_t>(unit)) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const auto minutes = static_cast<unsigned>(std::chrono::floor<std::chrono::minutes>(time - day).count());
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    put_two(0, year / 100 % 100);
    put_two(2, year % 100);
    text_[4] = '-';
    put_two(5, static_cast<unsigned>(date.month()));
    text_[7] = '-';
    put_two(8, static_cast<unsigned>(date.day()));
    text_[10] = ' ';
    put_two(11, minutes / 60);
    text_[13] = ':';
    put_two(14, minutes % 60);
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  operator std::string_view() const { return view(); }

 private:
  void put_two(std::size_t at, unsigned value) {
    text_[at] = static_cast<char>('0' + value / 10);
    text_[at + 1] = static_cast<char>('0' + value % 10);
  }
  std::array<char, 16> text_;
  std::size_t size_;
};

inline TimeText day_text(std::chrono::sys_seconds local) { return {local, TimeUnit::day}; }

}  // namespace tracker
