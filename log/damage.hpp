// What is lost of a partition: ranges in the way of whoever reads, and the file that keeps them known.
//
//   file  = property file (base/property_file.hpp) of the kind "damage", version 1
//   line  = "range=" FROM " " END " " FILE " " POSITION " " BYTES
//
// The records [FROM, END) lay in the bytes [POSITION, POSITION + BYTES) of FILE, a segment's log file in the same directory; no
// bytes are left where they are missing from it, and no records are lost where something lies between two batches. Ascending,
// and apart from each other. Example:
//
//   lungo-damage 1
//   range=9 12 00000000000000000000.log 216 72
//   crc32c=0a1b2c3d
//
// The file is written before a partition with damage serves anything. It proves damage and never health: a segment that is read
// in full is judged by its bytes, and what is whole again leaves the file. Its ranges count as promised, so none is ever cut.
// What the disk did not read is not written there: whether it is lost nobody knows, and the next opening tries again.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <lungo/log/event_log.hpp>
#include <lungo/log/storage.hpp>

namespace lungo {

/// Of what a read answered: the bytes are wrong, or the disk does not give them.
inline bool may_be_damage(const Error& error) { return error == Errc::corrupt || error == Errc::io; }

class DamageList {
 public:
  static constexpr const char* kFileName = "damage";

  DamageList() = default;
  /// In any order.
  explicit DamageList(std::vector<DamagedRange> ranges);

  /// Nothing when there is no file. Errors: corrupt; newer_format; io.
  static Result<DamageList> read(Storage& storage, const std::string& directory);
  /// Durably, what is proved(); an empty list removes the file. Errors: no_space, io.
  Result<void> write(Storage& storage, const std::string& directory) const;

  [[nodiscard]] bool empty() const { return ranges_.empty(); }
  [[nodiscard]] const std::vector<DamagedRange>& ranges() const { return ranges_; }
  /// Null unless a record in [begin, end) is lost; holds as long as the list.
  [[nodiscard]] const DamagedRange* first_in(Offset begin, Offset end) const;
  [[nodiscard]] const DamagedRange* last_in(Offset begin, Offset end) const;

  // For a list of one file's ranges.

  /// What begins at this byte and is ahead of a scan that expects this offset there: records that are missing, and the batch
  /// behind them, begin at the same one.
  [[nodiscard]] const DamagedRange* at(std::uint64_t position, Offset expected) const;
  [[nodiscard]] bool holds_byte(std::uint64_t position) const;
  /// The last one that lies in [begin, end) of the file.
  [[nodiscard]] const DamagedRange* last_between(std::uint64_t begin, std::uint64_t end) const;

  [[nodiscard]] DamageList of_file(std::string_view file) const;
  [[nodiscard]] DamageList without_file(std::string_view file) const;
  /// Without what lies wholly below `start`.
  [[nodiscard]] DamageList from(Offset start) const;
  /// Without what the disk did not read.
  [[nodiscard]] DamageList proved() const;
  /// Without what reaches above `end`.
  [[nodiscard]] DamageList below(Offset end) const;
  /// With one more, in the place of those that it overlaps.
  [[nodiscard]] DamageList with(const DamagedRange& range) const;

  friend bool operator==(const DamageList&, const DamageList&) = default;

 private:
  std::vector<DamagedRange> ranges_;
};

/// A list that grows while others look. Threads: any; who looks where there is no damage takes no lock.
class KnownDamage {
 public:
  /// Null: there is none.
  [[nodiscard]] std::shared_ptr<const DamageList> get() const;
  void assign(DamageList list);
  /// False when it is known.
  bool add(const DamagedRange& range);
  /// Forgets what lies outside of [start, end), wholly below or in part above.
  void keep(Offset start, Offset end);
  /// Forgets what lies in the file.
  void forget(std::string_view file);
  void forget(const DamagedRange& range);

 private:
  void set(DamageList list);  // with mutex_ held

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const DamageList> list_;
};

/// "offsets [9, 12) are damaged"
std::string to_string(const DamagedRange& range);
/// Errc::corrupt, naming file, byte and range, for who would have to pass it.
Error damaged(std::string_view directory, const DamagedRange& range);

}  // namespace lungo
