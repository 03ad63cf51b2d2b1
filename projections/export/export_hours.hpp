// The folder of an event's time: its hour or day, in UTC or in another zone.
//
//   HourFolders::of("Europe/Berlin", Grain::hourly)->folder_of(time)    // "hourly/2026/11/28/15"
//
// Promise: each time has one folder; an hour that a change of clocks repeats is one folder. Times of the years 1 to 9999 have
// one, others none. Threads: one; the last offset of the zone is kept.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <lungo/log/result.hpp>
#include <lungo/log/types.hpp>

namespace lungo::exporting {

enum class Grain { hourly, daily };

class HourFolders {
 public:
  /// `zone`: "UTC", "+HH:MM", "-HH:MM" or a name of the IANA database. Errors: invalid_argument, naming it.
  static Result<HourFolders> of(std::string_view zone, Grain grain);
  HourFolders(HourFolders&&) noexcept;
  HourFolders& operator=(HourFolders&&) noexcept;
  ~HourFolders();

  /// Hours, or days, since 1970-01-01 of the zone's clocks; ascends with the time, but where clocks are turned back.
  std::optional<std::int64_t> number_of(Timestamp time);
  /// Of such a number.
  [[nodiscard]] std::string folder_of(std::int64_t number) const;
  /// The other way; nothing for what is no folder of this grain.
  [[nodiscard]] static std::optional<Grain> grain_of(std::string_view folder);
  /// Whether it is such a folder, or one that such folders lie in.
  [[nodiscard]] static bool is_on_the_way(std::string_view folder);

 private:
  struct Zone;
  HourFolders(std::unique_ptr<Zone> zone, Grain grain);

  std::unique_ptr<Zone> zone_;
  Grain grain_;
};

}  // namespace lungo::exporting
