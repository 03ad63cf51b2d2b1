// Times as the text that rows are keyed by: "2015-05-17", "2015-05-17 10", "2015-05-17 10:05". They sort as the times do.
//
// Threads: pure functions and values.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace tracker {

enum class TimeUnit : std::size_t { day = 10, hour = 13, minute = 16 };  // the text's length

/// A short text without memory of its own on the heap; a projection's key() may return it.
class TimeText {
 public:
  TimeText() = default;  // empty
  TimeText(std::chrono::sys_seconds time, TimeUnit unit) : size_(static_cast<std::size_t>(unit)) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const auto minutes = static_cast<unsigned>(std::chrono::floor<std::chrono::minutes>(time - day).count());
    // All read models ask for the day of one event, and the next event's is mostly the same.
    thread_local Day last;
    if (last.day != day) last = Day{day};
    std::memcpy(text_.data(), last.text.data(), last.text.size());
    text_[10] = ' ';
    put_two(text_.data() + 11, minutes / 60);
    text_[13] = ':';
    put_two(text_.data() + 14, minutes % 60);
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  operator std::string_view() const { return view(); }

 private:
  struct Day {
    Day() = default;
    explicit Day(std::chrono::sys_days of) : day(of) {
      const std::chrono::year_month_day date{day};
      const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
      put_two(text.data(), year / 100 % 100);
      put_two(text.data() + 2, year % 100);
      text[4] = '-';
      put_two(text.data() + 5, static_cast<unsigned>(date.month()));
      text[7] = '-';
      put_two(text.data() + 8, static_cast<unsigned>(date.day()));
    }
    std::chrono::sys_days day = std::chrono::sys_days::max();
    std::array<char, 10> text{};
  };

  static void put_two(char* at, unsigned value) {
    at[0] = static_cast<char>('0' + value / 10);
    at[1] = static_cast<char>('0' + value % 10);
  }

  std::array<char, 16> text_;
  std::size_t size_ = 0;
};

inline TimeText day_text(std::chrono::sys_seconds local) { return {local, TimeUnit::day}; }

}  // namespace tracker
