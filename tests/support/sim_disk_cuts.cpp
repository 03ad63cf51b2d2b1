// SimDisk: every way a power cut may end, one by one.
#include <algorithm>
#include <unordered_set>

#include "tests/support/sim_disk.hpp"

namespace lungo::test {

namespace {

constexpr std::size_t kLost = 0;
constexpr std::size_t kKept = 1;

/// A write that arrives in part: without the sectors [first_lost, first_kept) of those that it touches.
struct Tear {
  std::uint64_t sector_bytes;
  std::uint64_t first_lost;
  std::uint64_t first_kept;
  bool size_arrives;
};

/// The ways in which the write [at, end) may be torn.
std::vector<Tear> tears_of(std::uint64_t at, std::uint64_t end) {
  std::vector<Tear> tears;
  for (const std::uint64_t sector_bytes : {512u, 4096u}) {
    const std::uint64_t count = (end - 1) / sector_bytes - at / sector_bytes + 1;
    if (sector_bytes == 512) tears.push_back({sector_bytes, 0, count, true});  // nothing but the size
    if (count == 1) continue;
    for (std::uint64_t i = 1; i < count; ++i) tears.push_back({sector_bytes, i, count, false});
    for (std::uint64_t i = 0; i < count; ++i) tears.push_back({sector_bytes, i, i + 1, true});
  }
  return tears;
}

/// All changes alike, but the first ones the other way, and perhaps one in a way of its own.
struct Pattern {
  bool kept = false;
  std::size_t others = 0;
  std::optional<std::size_t> odd = std::nullopt;
  std::size_t fate = kLost;  // of the odd one
};

/// Of changes with so many fates each.
std::vector<Pattern> patterns(const std::vector<std::size_t>& fates) {
  std::vector<Pattern> all{{.kept = false}, {.kept = true}};
  for (std::size_t i = 0; i < fates.size(); ++i) {
    if (i > 0) {
      all.push_back({.kept = false, .others = i});
      all.push_back({.kept = true, .others = i});
    }
    for (std::size_t fate = 0; fate < fates[i]; ++fate) {
      if (fate != kLost) all.push_back({.kept = false, .odd = i, .fate = fate});
      if (fate != kKept) all.push_back({.kept = true, .odd = i, .fate = fate});
      if (fate > kKept && i > 0) all.push_back({.kept = false, .others = i, .odd = i, .fate = fate});
    }
  }
  return all;
}

}  // namespace

/// One chosen fate for every change.
class SimDisk::ListedFates : public Fates {
 public:
  explicit ListedFates(const SimDisk& disk) {
    std::map<std::uint64_t, std::size_t> counts;  // by the changes' numbers: in the order in which they were made
    for (const Node& node : disk.nodes_) {
      for (const NameChange& change : node.unsynced_names) counts[change.number] = 2;
      for (const Change& change : node.unsynced) {
        counts[change.number] = change.truncates ? 2 : 2 + tears_of(change.at, change.end()).size();
      }
    }
    for (const auto& [number, count] : counts) {
      numbers_.push_back(number);
      counts_.push_back(count);
    }
    chosen_.assign(counts_.size(), kLost);
  }

  [[nodiscard]] const std::vector<std::size_t>& counts() const { return counts_; }

  void choose(const Pattern& pattern) {
    for (std::size_t i = 0; i < chosen_.size(); ++i) chosen_[i] = pattern.kept != (i < pattern.others) ? kKept : kLost;
    if (pattern.odd) chosen_[*pattern.odd] = pattern.fate;
  }
  void choose_any(Random& random) {
    for (std::size_t i = 0; i < chosen_.size(); ++i) chosen_[i] = random.below(counts_[i]);
  }
  /// Steps to the next choice of all there are, beginning with the first; false behind the last.
  bool choose_next() {
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (++chosen_[i] < counts_[i]) return true;
      chosen_[i] = 0;
    }
    return false;
  }

  void settle(std::map<std::string, NodeId>& names, const std::vector<NameChange>& changes) override {
    for (const NameChange& change : changes) {
      if (fate_of(change.number) == kKept) apply(names, change);
    }
  }
  void settle(SimBytes& bytes, const std::vector<Change>& changes) override {
    for (const Change& change : changes) {
      const std::size_t fate = fate_of(change.number);
      if (fate == kLost) continue;
      if (fate == kKept) {
        apply(bytes, change);
      } else {
        apply_torn(bytes, change, tears_of(change.at, change.end())[fate - 2]);
      }
    }
  }

 private:
  static void apply_torn(SimBytes& bytes, const Change& change, const Tear& tear) {
    if (tear.size_arrives && bytes.size() < change.end()) bytes.resize(change.end());
    const std::uint64_t first = change.at / tear.sector_bytes;
    const std::uint64_t count = (change.end() - 1) / tear.sector_bytes - first + 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i < tear.first_lost || i >= tear.first_kept) apply_sector(bytes, change, tear.sector_bytes, first + i);
    }
  }

  [[nodiscard]] std::size_t fate_of(std::uint64_t number) const {
    return chosen_[static_cast<std::size_t>(std::ranges::lower_bound(numbers_, number) - numbers_.begin())];
  }

  std::vector<std::uint64_t> numbers_;
  std::vector<std::size_t> counts_;
  std::vector<std::size_t> chosen_;
};

void SimDisk::for_each_survivor(std::size_t states_max, std::uint64_t seed,
                                const std::function<void(std::unique_ptr<SimDisk>)>& look) const {
  const std::lock_guard lock(mutex_);
  Random random{seed};
  ListedFates fates{*this};
  std::unordered_set<std::size_t> seen;
  const auto show = [&](std::unique_ptr<SimDisk> disk) {
    if (seen.insert(disk->contents_hash()).second) look(std::move(disk));
  };
  std::size_t combinations = 1;
  for (const std::size_t count : fates.counts()) combinations = std::min(combinations * count, states_max + 1);
  if (combinations <= states_max) {
    do show(survivor(fates, random.next()));
    while (fates.choose_next());
    return;
  }

  std::vector<Pattern> chosen = patterns(fates.counts());
  for (std::size_t i = 2; i < std::min(states_max, chosen.size()); ++i) {
    std::swap(chosen[i], chosen[i + random.below(chosen.size() - i)]);
  }
  chosen.resize(std::min(states_max, chosen.size()));
  for (const Pattern& pattern : chosen) {
    fates.choose(pattern);
    show(survivor(fates, random.next()));
  }
  // Many choices look alike where later changes hide earlier ones.
  for (std::size_t tries = 2 * states_max; seen.size() < states_max && tries > 0; --tries) {
    fates.choose_any(random);
    show(random.one_in(2) ? survivor(fates, random.next()) : after_power_cut(random.next()));
  }
}

}  // namespace lungo::test
