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
// Every call that changes something is a numbered step, so a test can look at each state between two steps (on_step and
// after_step with after_power_cut), inside a write (after_kill), or fail from a step on. Reads are numbered apart, and all
// calls together once more, so that each of them can fail.
//
// A process that is killed is the smaller accident: all that was written is there, and what was not synced may still be lost by
// a power cut that comes later (after_kill). Threads: any, but a disk and those made of it share bytes: one thread at a time
// for all of them. Hooks run inside the step.
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
#include "tests/support/sim_bytes.hpp"

namespace lungo::test {

/// A call that is about to change the disk.
struct DiskStep {
  std::uint64_t number = 0;  // from 1
  // "write", "sync", "truncate", "preallocate", "create", "mkdir", "rename", "remove", "sync_directory"
  std::string_view operation;
  std::string_view path;
  std::size_t bytes = 0;  // of a write
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
  /// What of it is certain to survive: the synced bytes under synced names.
  [[nodiscard]] std::unique_ptr<SimDisk> durable() const;
  /// Hands over disks as a power cut now may leave them, each once: all there are when they are at most `states_max`, otherwise
  /// as many. Then those come first that have a cause: nothing, all, each first and each last part of the changes, each change
  /// alone and each one missing, a write torn at each of its sectors; and random ones fill the rest.
  void for_each_survivor(std::size_t states_max, std::uint64_t seed,
                         const std::function<void(std::unique_ptr<SimDisk>)>& look) const;
  /// The disk as it is when the process is killed now. Called by a hook before a write: inside it, with the first
  /// `bytes_of_write` bytes done.
  [[nodiscard]] std::unique_ptr<SimDisk> after_kill(std::size_t bytes_of_write = 0) const;
  /// The power fails before step `number`: that call and all later ones answer Errc::io until power_cut().
  void power_off_before(std::uint64_t number);
  /// The power fails inside step `number`; if it is a write, with its first `bytes` bytes done.
  void cut_write(std::uint64_t number, std::size_t bytes);
  [[nodiscard]] bool is_off() const;
  /// Equal for disks with the same names and bytes: tells how many of the cut states were different ones.
  [[nodiscard]] std::size_t contents_hash() const;

  // Steps and faults.

  /// Changing calls made so far.
  [[nodiscard]] std::uint64_t steps() const;
  [[nodiscard]] std::uint64_t reads() const;
  /// All calls: the steps, the reads, and those that only look (open of what is there, list, exists, size).
  [[nodiscard]] std::uint64_t calls() const;
  /// Called before each step, with the disk in the state that a power cut at this moment would find.
  void on_step(std::function<void(const DiskStep&)> hook);
  /// Called after each step that was done, while its caller does not know it yet.
  void after_step(std::function<void(const DiskStep&)> hook);
  /// Step `number` answers `code`: a write leaves any first part of its bytes, a sync drops what it did not make durable and
  /// later syncs succeed without it (as Linux does), the others change nothing. With `for_ever` all later steps fail too.
  void fail_step(std::uint64_t number, Errc code, bool for_ever = false);
  void fail_read(std::uint64_t number, ReadFault fault);
  /// The same by the number of the call, whatever it is.
  void fail_call(std::uint64_t number, Errc code, bool for_ever = false);
  /// Forgets the faults that are still to come.
  void clear_faults();
  /// Room for all files together; what does not fit answers Errc::no_space after its first part was written. preallocate()
  /// answers the same, but holds no room: what comes later may find the disk full all the same.
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
    std::shared_ptr<const Bytes> bytes = {};
    bool truncates = false;
    std::uint64_t number = 0;

    [[nodiscard]] std::uint64_t end() const { return at + bytes->size(); }
  };
  /// A name added, removed or (both) renamed.
  struct NameChange {
    std::optional<std::string> removed;
    std::optional<std::string> added;
    NodeId node = kRoot;
    std::uint64_t number = 0;
  };
  struct Node {
    bool is_directory = false;
    SimBytes bytes;                       // file: as written
    SimBytes durable_bytes;               // file: as synced
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

  /// A write that a hook looks at.
  struct WriteUnderWay {
    NodeId node;
    std::uint64_t at;
    BytesView bytes;
  };

  /// Decides what becomes of unsynced changes, and makes it so.
  class Fates {
   public:
    virtual ~Fates() = default;
    virtual void settle(std::map<std::string, NodeId>& names, const std::vector<NameChange>& changes) = 0;
    virtual void settle(SimBytes& bytes, const std::vector<Change>& changes) = 0;
  };
  class NoFates;
  class RandomFates;
  class ListedFates;
  class Survivors;

  [[nodiscard]] std::unique_ptr<SimDisk> survivor(Fates& fates, std::uint64_t seed) const;
  [[nodiscard]] std::size_t hash_of(NodeId id) const;
  [[nodiscard]] std::optional<NodeId> find(std::string_view path) const;
  Result<Place> place_of(const std::string& path) const;
  [[nodiscard]] static std::optional<NodeId> child(const Node& directory, const std::string& name);
  NodeId add_node(const Place& place, bool is_directory);

  static std::optional<Error> fault_at(const std::map<std::uint64_t, StepFault>& faults, std::uint64_t number,
                                       std::string_view operation, const std::string& path);
  /// Counts the step and answers the fault that is due, if any.
  std::optional<Error> begin_step(std::string_view operation, const std::string& path, std::size_t bytes = 0);
  void end_step(std::string_view operation, const std::string& path, std::size_t bytes = 0);
  std::optional<ReadFault> begin_read();
  /// Counts a call that only looks.
  std::optional<Error> begin_look(std::string_view operation, const std::string& path);
  [[nodiscard]] Error off_error(const std::string& path) const;

  Result<std::size_t> read(NodeId id, const std::string& path, std::uint64_t position, std::span<std::byte> out);
  Result<void> write(NodeId id, const std::string& path, std::uint64_t position, BytesView bytes);
  Result<void> sync(NodeId id, const std::string& path);
  Result<void> truncate(NodeId id, const std::string& path, std::uint64_t size);
  Result<void> preallocate(NodeId id, const std::string& path, std::uint64_t end);
  Result<std::uint64_t> size(NodeId id, const std::string& path);
  void apply_now(NodeId id, Change change);
  void apply_now(NodeId directory, NameChange change);
  static void apply(SimBytes& bytes, const Change& change);
  static void apply(std::map<std::string, NodeId>& names, const NameChange& change);
  /// The bytes of one sector of a write.
  static void apply_sector(SimBytes& bytes, const Change& change, std::uint64_t sector_bytes, std::uint64_t sector);

  mutable std::recursive_mutex mutex_;
  Random random_;
  std::vector<Node> nodes_;
  std::set<std::string> locked_;
  std::uint64_t generation_ = 0;  // of open files and locks: those of an earlier one are dead
  std::uint64_t steps_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::optional<std::uint64_t> capacity_;
  std::optional<std::uint64_t> off_before_;
  std::size_t bytes_before_off_ = 0;  // of the write that the power fails in
  std::optional<WriteUnderWay> under_way_;
  std::map<std::uint64_t, StepFault> step_faults_;
  std::map<std::uint64_t, StepFault> call_faults_;
  std::map<std::uint64_t, ReadFault> read_faults_;
  std::function<void(const DiskStep&)> before_hook_;
  std::function<void(const DiskStep&)> after_hook_;
};

}  // namespace lungo::test
