// The Storage port in memory, with what a power cut does to a real disk.
//
// For every file the disk keeps what is durable apart from the changes since the last sync, and likewise for the names in every
// directory. A power cut keeps what is durable and, of the rest, what the seed says:
//
//   * all of it, nothing, the first few changes, or any subset in any file (so later changes may survive earlier ones);
//   * a write torn at sectors of 512 or 4096 bytes, any of which may be missing: the old bytes stay, or zeros;
//   * a size that has grown while the data did not arrive (zeros);
//   * names: each creation, rename and removal since the directory's last sync on its own. A rename is atomic. A file that was
//     synced itself but whose name was not may be gone.
//
// Every call that changes something is a numbered step, so a test can look at each state between two steps (on_step with
// after_power_cut), or fail from a step on. Reads are numbered apart.
// Threads: any; the hook runs inside the step.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <lungo/log/storage.hpp>
#include "tests/support/random.hpp"

namespace lungo::test {

/// A call that is about to change the disk.
struct DiskStep {
  std::uint64_t number = 0;    // from 1
  std::string_view operation;  // "write", "sync", "truncate", "create", "mkdir", "rename", "remove", "sync_directory"
  std::string_view path;
};

enum class ReadFault {
  error,     // Errc::io
  bit_flip,  // one bit of what was read is wrong
  cut_off,   // the file seems to end inside what was asked for
};

class SimDisk : public Storage {
 public:
  explicit SimDisk(std::uint64_t seed = 1) : random_(seed), nodes_(1) { nodes_[kRoot].is_directory = true; }

  // Power.

  /// The disk as it is found when the power fails now. This one goes on undisturbed.
  [[nodiscard]] std::unique_ptr<SimDisk> after_power_cut(std::uint64_t seed) const;
  /// The same in place: open files and locks are dead, faults are forgotten, the power is on again.
  void power_cut(std::uint64_t seed);
  /// The power fails before step `number`: that call and all later ones answer Errc::io until power_cut().
  void power_off_before(std::uint64_t number);
  [[nodiscard]] bool is_off() const;
  /// Equal for disks with the same names and bytes: tells how many of the cut states were different ones.
  [[nodiscard]] std::size_t contents_hash() const;

  // Steps and faults.

  /// Changing calls made so far.
  [[nodiscard]] std::uint64_t steps() const;
  [[nodiscard]] std::uint64_t reads() const;
  /// Called before each step, with the disk in the state that a power cut at this moment would find.
  void on_step(std::function<void(const DiskStep&)> hook);
  /// Step `number` answers `code`: a write leaves any first part of its bytes, a sync drops what it did not make durable and
  /// later syncs succeed without it (as Linux does), the others change nothing. With `for_ever` all later steps fail too.
  void fail_step(std::uint64_t number, Errc code, bool for_ever = false);
  void fail_read(std::uint64_t number, ReadFault fault);
  /// Forgets the faults that are still to come.
  void clear_faults();
  /// Room for all files together; what does not fit answers Errc::no_space after its first part was written.
  void set_capacity(std::optional<std::uint64_t> bytes);
  [[nodiscard]] std::uint64_t used_bytes() const;

  // Storage.

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;  // within one directory only
  Result<void> remove(const std::string& path) override;
  Result<void> remove_all(const std::string& path) override;
  Result<void> make_directories(const std::string& path) override;
  Result<std::vector<DirEntry>> list(const std::string& directory) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& holder) override;

 private:
  class SimFile;
  class SimLock;

  using NodeId = std::size_t;
  static constexpr NodeId kRoot = 0;

  /// A write, or (with `truncates`) a new size `at`.
  struct Change {
    std::uint64_t at = 0;
    Bytes bytes;
    bool truncates = false;
  };
  /// A name added, removed or (both) renamed.
  struct NameChange {
    std::optional<std::string> removed;
    std::optional<std::string> added;
    NodeId node = kRoot;
  };
  struct Node {
    bool is_directory = false;
    Bytes bytes;                          // file: as written
    Bytes durable_bytes;                  // file: as synced
    std::vector<Change> unsynced;         // file
    std::map<std::string, NodeId> names;  // directory: as it looks
    std::map<std::string, NodeId> durable_names;
    std::vector<NameChange> unsynced_names;
  };
  struct StepFault {
    Errc code;
    bool for_ever;
  };
  /// A file's or directory's parent and last name.
  struct Place {
    NodeId parent;
    std::string name;
  };

  class Survivors;

  [[nodiscard]] std::size_t hash_of(NodeId id) const;
  [[nodiscard]] std::optional<NodeId> find(std::string_view path) const;
  Result<Place> place_of(const std::string& path) const;
  [[nodiscard]] static std::optional<NodeId> child(const Node& directory, const std::string& name);
  NodeId add_node(const Place& place, bool is_directory);

  /// Counts the step and answers the fault that is due, if any.
  std::optional<Error> begin_step(std::string_view operation, const std::string& path);
  std::optional<ReadFault> begin_read();
  [[nodiscard]] Error off_error(const std::string& path) const;

  Result<std::size_t> read(NodeId id, const std::string& path, std::uint64_t position, std::span<std::byte> out);
  Result<void> write(NodeId id, const std::string& path, std::uint64_t position, BytesView bytes);
  Result<void> sync(NodeId id, const std::string& path);
  Result<void> truncate(NodeId id, const std::string& path, std::uint64_t size);
  void apply_now(NodeId id, Change change);
  static void apply(Bytes& bytes, const Change& change);
  static void apply(std::map<std::string, NodeId>& names, const NameChange& change);

  mutable std::recursive_mutex mutex_;
  Random random_;
  std::vector<Node> nodes_;
  std::set<std::string> locked_;
  std::uint64_t generation_ = 0;  // of open files and locks: those of an earlier one are dead
  std::uint64_t steps_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::optional<std::uint64_t> capacity_;
  std::optional<std::uint64_t> off_before_;
  std::map<std::uint64_t, StepFault> step_faults_;
  std::map<std::uint64_t, ReadFault> read_faults_;
  std::function<void(const DiskStep&)> hook_;
};

}  // namespace lungo::test
