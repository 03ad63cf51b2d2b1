// What a power cut leaves of a SimDisk.
#include <algorithm>
#include <functional>

#include "tests/support/sim_disk.hpp"

namespace lungo::test {

/// Draws what is left of a disk, and builds the new one.
class SimDisk::Survivors {
 public:
  Survivors(const SimDisk& before, SimDisk& after, std::uint64_t seed)
      : before_(before), after_(after), random_(seed), mode_(static_cast<Mode>(random_.below(4))) {
    sector_ = random_.one_in(2) ? 512 : 4096;
    after_.nodes_.assign(1, Node{});
    fill_directory(kRoot, kRoot);
  }

 private:
  enum class Mode { nothing, everything, first_changes, any_subset };

  /// How many of `changes` unsynced changes may survive; only with any_subset does each one decide for itself.
  std::size_t candidates(std::size_t changes) {
    switch (mode_) {
      case Mode::nothing:
        return 0;
      case Mode::everything:
        return changes;
      case Mode::first_changes:
        return random_.below(changes + 1);
      case Mode::any_subset:
        return changes;
    }
    return changes;
  }

  void fill_directory(NodeId old_id, NodeId new_id) {
    const Node& old_node = before_.nodes_[old_id];
    std::map<std::string, NodeId> names = old_node.durable_names;
    const std::size_t count = candidates(old_node.unsynced_names.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (mode_ != Mode::any_subset || random_.one_in(2)) apply(names, old_node.unsynced_names[i]);
    }
    after_.nodes_[new_id].is_directory = true;
    for (const auto& [name, old_child] : names) {
      const NodeId new_child = after_.nodes_.size();
      after_.nodes_.emplace_back();
      after_.nodes_[new_id].names[name] = new_child;
      if (before_.nodes_[old_child].is_directory) {
        fill_directory(old_child, new_child);
      } else {
        fill_file(before_.nodes_[old_child], after_.nodes_[new_child]);
      }
    }
    after_.nodes_[new_id].durable_names = after_.nodes_[new_id].names;
  }

  void fill_file(const Node& old_node, Node& new_node) {
    Bytes bytes = old_node.durable_bytes;
    const std::size_t count = candidates(old_node.unsynced.size());
    for (std::size_t i = 0; i < count; ++i) {
      const bool last_of_first = mode_ == Mode::first_changes && i + 1 == count;
      keep_some(bytes, old_node.unsynced[i], mode_ == Mode::any_subset || last_of_first);
    }
    after_.used_bytes_ += bytes.size();
    new_node.durable_bytes = bytes;
    new_node.bytes = std::move(bytes);
  }

  /// The change as a whole, or (when it may be damaged) not at all, or torn.
  void keep_some(Bytes& bytes, const Change& change, bool may_be_damaged) {
    if (!may_be_damaged || random_.one_in(3)) return apply(bytes, change);
    if (change.truncates) {
      if (random_.one_in(2)) apply(bytes, change);
      return;
    }
    const std::uint64_t end = change.at + change.bytes.size();
    if (random_.one_in(2) && bytes.size() < end) bytes.resize(end);  // the size arrived, whatever becomes of the data
    if (random_.one_in(2)) return;
    const bool first_part_only = random_.one_in(2);
    for (std::uint64_t at = change.at; at < end;) {
      const std::uint64_t next = std::min<std::uint64_t>(end, (at / sector_ + 1) * sector_);
      const bool kept = random_.one_in(2);
      if (kept)
        apply(bytes, Change{at,
                            Bytes(change.bytes.begin() + static_cast<std::ptrdiff_t>(at - change.at),
                                  change.bytes.begin() + static_cast<std::ptrdiff_t>(next - change.at)),
                            false});
      if (!kept && first_part_only) return;
      at = next;
    }
  }

  const SimDisk& before_;
  SimDisk& after_;
  Random random_;
  const Mode mode_;
  std::uint64_t sector_ = 512;
};

std::unique_ptr<SimDisk> SimDisk::after_power_cut(std::uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  auto after = std::make_unique<SimDisk>(seed);
  after->capacity_ = capacity_;
  Survivors(*this, *after, seed);
  return after;
}

void SimDisk::power_cut(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  const std::unique_ptr<SimDisk> after = after_power_cut(seed);
  nodes_ = std::move(after->nodes_);
  used_bytes_ = after->used_bytes_;
  locked_.clear();
  step_faults_.clear();
  read_faults_.clear();
  off_before_.reset();
  ++generation_;
}

std::size_t SimDisk::hash_of(NodeId id) const {
  const Node& node = nodes_[id];
  if (!node.is_directory) return std::hash<std::string_view>{}(as_text(node.bytes));
  std::size_t hash = node.names.size();
  for (const auto& [name, child] : node.names) {
    hash = (hash * 31 + std::hash<std::string>{}(name)) * 31 + hash_of(child);
  }
  return hash;
}

std::size_t SimDisk::contents_hash() const {
  const std::lock_guard lock(mutex_);
  return hash_of(kRoot);
}

}  // namespace lungo::test
