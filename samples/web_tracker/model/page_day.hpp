// What is counted of one page on one day, small enough for a row per page and day: three lists of counters in one run of bytes.
//
//   counts   = (empty) | hours:u8 statuses:u8 hour* status* agent*       the numbers of the first two, then all three lists
//   hour     = hour:u8 hits:u32 views:u32                                ascending by hour, of the line's own clock
//   status   = status:u16 requests:u32                                   ascending; past 255 of them further ones are left out
//   agent    = bytes:u8 device:u8 browser 0x00 system views:u32          ascending by (bytes, the bytes from device to system)
//
// `bytes` counts those from device to system; integers are little-endian. A row per value would be six rows for most pages,
// which are seen once a day. The order of the entries depends on nothing but what they are, so rows that are made anew are the
// same. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "ingest/user_agent.hpp"

namespace tracker {

struct PageDay {
  std::int64_t hits = 0;
  std::int64_t views = 0;  // of them, those of people: what the agents count
  std::vector<std::byte> counts;
};

/// Adds a hit; a view's agent comes with add_view(). No status: nobody said one.
void add_hit(PageDay& page, unsigned hour, bool is_view, std::optional<std::int32_t> status);
/// Names of over 120 bytes are cut: the tracker's own are short constants.
void add_view(PageDay& page, std::string_view browser, std::string_view system, Device device);
/// Adds what another has counted of the same page and day. Bytes that follow no grammar end it.
void add_page(PageDay& into, const PageDay& other);

/// What of the lists is wanted. Bytes that follow no grammar end the walk.
struct PageDayVisitor {
  std::function<void(unsigned hour, std::uint32_t hits, std::uint32_t views)> hour = [](auto...) {};
  std::function<void(std::uint16_t status, std::uint32_t requests)> status = [](auto...) {};
  std::function<void(std::string_view browser, std::string_view system, Device device, std::uint32_t views)> agent =
      [](auto...) {};
};
void visit_counts(const PageDay& page, const PageDayVisitor& visitor);

}  // namespace tracker
