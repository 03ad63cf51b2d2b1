// What a power cut leaves of a SimDisk; every way one by one: sim_disk_cuts.cpp.
#include <algorithm>

#include "tests/support/sim_disk.hpp"

namespace lungo::test {

void SimDisk::apply_sector(SimBytes& bytes, const Change& change, std::uint64_t sector_bytes, std::uint64_t sector) {
  const std::uint64_t begin = std::max(change.at, sector * sector_bytes);
  const std::uint64_t end = std::min(change.end(), (sector + 1) * sector_bytes);
  bytes.write(begin, BytesView{*change.bytes}.subspan(begin - change.at, end - begin));
}

/// Nothing survives that was not synced.
class SimDisk::NoFates : public Fates {
 public:
  void settle(std::map<std::string, NodeId>&, const std::vector<NameChange>&) override {}
  void settle(SimBytes&, const std::vector<Change>&) override {}
};

/// All of it by the seed.
class SimDisk::RandomFates : public Fates {
 public:
  explicit RandomFates(std::uint64_t seed) : random_(seed), mode_(static_cast<Mode>(random_.below(4))) {
    sector_ = random_.one_in(2) ? 512 : 4096;
  }

  void settle(std::map<std::string, NodeId>& names, const std::vector<NameChange>& changes) override {
    const std::size_t count = candidates(changes.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (mode_ != Mode::any_subset || random_.one_in(2)) apply(names, changes[i]);
    }
  }

  void settle(SimBytes& bytes, const std::vector<Change>& changes) override {
    const std::size_t count = candidates(changes.size());
    for (std::size_t i = 0; i < count; ++i) {
      const bool last_of_first = mode_ == Mode::first_changes && i + 1 == count;
      keep_some(bytes, changes[i], mode_ == Mode::any_subset || last_of_first);
    }
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

  /// The change as a whole, or (when it may be damaged) not at all, or torn.
  void keep_some(SimBytes& bytes, const Change& change, bool may_be_damaged) {
    if (!may_be_damaged || random_.one_in(3)) return apply(bytes, change);
    if (change.truncates) {
      if (random_.one_in(2)) apply(bytes, change);
      return;
    }
    // The size arrived, whatever becomes of the data.
    if (random_.one_in(2) && bytes.size() < change.end()) bytes.resize(change.end());
    if (random_.one_in(2)) return;
    const bool first_part_only = random_.one_in(2);
    for (std::uint64_t sector = change.at / sector_; sector * sector_ < change.end(); ++sector) {
      const bool kept = random_.one_in(2);
      if (kept) apply_sector(bytes, change, sector_, sector);
      if (!kept && first_part_only) return;
    }
  }

  Random random_;
  const Mode mode_;
  std::uint64_t sector_ = 512;
};

/// Builds the disk that is left.
class SimDisk::Survivors {
 public:
  Survivors(const SimDisk& before, SimDisk& after, Fates& fates) : before_(before), after_(after), fates_(fates) {
    after_.nodes_.assign(1, Node{});
    fill_directory(kRoot, kRoot);
  }

 private:
  void fill_directory(NodeId old_id, NodeId new_id) {
    const Node& old_node = before_.nodes_[old_id];
    std::map<std::string, NodeId> names = old_node.durable_names;
    fates_.settle(names, old_node.unsynced_names);
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
    new_node.bytes = old_node.durable_bytes;
    fates_.settle(new_node.bytes, old_node.unsynced);
    after_.used_bytes_ += new_node.bytes.size();
    new_node.durable_bytes = new_node.bytes;
  }

  const SimDisk& before_;
  SimDisk& after_;
  Fates& fates_;
};

std::unique_ptr<SimDisk> SimDisk::survivor(Fates& fates, std::uint64_t seed) const {
  auto after = std::make_unique<SimDisk>(seed);
  after->capacity_ = capacity_;
  Survivors(*this, *after, fates);
  return after;
}

std::unique_ptr<SimDisk> SimDisk::after_power_cut(std::uint64_t seed) const {
  const std::lock_guard lock(mutex_);
  RandomFates fates{seed};
  return survivor(fates, seed);
}

std::unique_ptr<SimDisk> SimDisk::durable() const {
  const std::lock_guard lock(mutex_);
  NoFates fates;
  return survivor(fates, 1);
}

std::unique_ptr<SimDisk> SimDisk::after_kill(std::size_t bytes_of_write) const {
  const std::lock_guard lock(mutex_);
  auto after = std::make_unique<SimDisk>(changes_);
  after->capacity_ = capacity_;
  after->nodes_ = nodes_;
  after->used_bytes_ = used_bytes_;
  after->changes_ = changes_;
  if (under_way_ && bytes_of_write > 0) {
    const BytesView done = under_way_->bytes.first(std::min(bytes_of_write, under_way_->bytes.size()));
    after->apply_now(under_way_->node, {under_way_->at, std::make_shared<Bytes>(done.begin(), done.end())});
  }
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
  call_faults_.clear();
  off_before_.reset();
  ++generation_;
}

std::size_t SimDisk::hash_of(NodeId id) const {
  const Node& node = nodes_[id];
  if (!node.is_directory) return node.bytes.hash();
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
