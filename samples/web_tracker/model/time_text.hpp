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
    // All read models ask for the time of one event, and the next event's day is mostly the same.
    thread_local Last last;
    if (last.time != time) last.set(time);
    text_ = last.text;
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }
  operator std::string_view() const { return view(); }

 private:
  struct Last {
    void set(std::chrono::sys_seconds of) {
      time = of;
      if (const auto its_day = std::chrono::floor<std::chrono::days>(time); day != its_day) set_day(its_day);
      const auto minutes = static_cast<unsigned>(std::chrono::floor<std::chrono::minutes>(time - day).count());
      put_two(text.data() + 11, minutes / 60);
      put_two(text.data() + 14, minutes % 60);
    }
    void set_day(std::chrono::sys_days of) {
      day = of;
      const std::chrono::year_month_day date{day};
      const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
      put_two(text.data(), year / 100 % 100);
      put_two(text.data() + 2, year % 100);
      put_two(text.data() + 5, static_cast<unsigned>(date.month()));
      put_two(text.data() + 8, static_cast<unsigned>(date.day()));
    }
    std::chrono::sys_seconds time = std::chrono::sys_seconds::max();
    std::chrono::sys_days day = std::chrono::sys_days::max();
    std::array<char, 16> text{'0', '0', '0', '0', '-', '0', '0', '-', '0', '0', ' ', '0', '0', ':', '0', '0'};
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
