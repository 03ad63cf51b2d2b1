// Keys of the read models whose rows belong to a day, and the views of them that key() returns: no event allocates one.
//
// The day stands first, since events come in the order of time: new rows lie at the end of their table, and a period is a
// range. Threads: plain values.
#pragma once

#include <string>
#include <string_view>

#include "model/time_text.hpp"

namespace tracker {

struct DayValue {
  std::string day;
  std::string value;
  friend bool operator==(const DayValue&, const DayValue&) = default;
};
struct DayValueView {
  TimeText day;
  std::string_view value;
  explicit operator DayValue() const { return {std::string{day.view()}, std::string{value}}; }
};

struct DayPage {
  std::string day;
  std::string page;
  friend bool operator==(const DayPage&, const DayPage&) = default;
};
struct DayPageView {
  TimeText day;
  std::string_view page;
  explicit operator DayPage() const { return {std::string{day.view()}, std::string{page}}; }
};

struct DayPageValue {
  std::string day;
  std::string page;
  std::string value;
  friend bool operator==(const DayPageValue&, const DayPageValue&) = default;
};
struct DayPageValueView {
  TimeText day;
  std::string_view page;
  std::string_view value;
  explicit operator DayPageValue() const { return {std::string{day.view()}, std::string{page}, std::string{value}}; }
};

}  // namespace tracker
