#include "tests/support/crash_states.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/support/quiet_log.hpp"
#include "tests/support/random.hpp"

namespace lungo::test {

namespace {

constexpr std::size_t kStates = 120'000;
constexpr std::size_t kSurvivorsInRecovery = 4;
constexpr std::size_t kShortWriteBytes = 256;  // cut at every byte
constexpr std::size_t kEndBytes = 48;          // of a long one
constexpr std::size_t kStride = 97;

std::size_t from_environment(const char* name, std::size_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// How many bytes of a write are done when it is cut.
std::set<std::size_t> cuts_of(std::size_t bytes) {
  static const std::size_t stride = from_environment("LUNGO_CRASH_STRIDE", kStride);
  std::set<std::size_t> cuts;
  for (std::size_t at = 1; at < bytes; ++at) {
    const bool near_sector = at % 512 <= 1 || at % 512 == 511;
    if (bytes <= kShortWriteBytes || at <= kEndBytes || at + kEndBytes >= bytes || at % stride == 0 || near_sector) {
      cuts.insert(at);
    }
  }
  return cuts;
}

/// Somewhere inside, and just before the end.
std::set<std::size_t> some_cuts_of(std::size_t bytes, Random& random) {
  if (bytes <= 1) return {};
  return {1 + random.below(bytes - 1), bytes - 1};
}

std::string text_of(const DiskStep& step) {
  return std::to_string(step.number) + " " + std::string(step.operation) + " " + std::string(step.path);
}

}  // namespace

void CrashStates::watch(SimDisk& disk, const std::function<std::uint64_t()>& promise, const Look& look) {
  disk.on_step([this, &disk, promise, look](const DiskStep& step) {
    SCOPED_TRACE("cut before or inside step " + text_of(step));
    const std::set<std::size_t> cuts = options_.every_byte ? cuts_of(step.bytes) : some_cuts_of(step.bytes, random_);
    look_around(disk, options_.survivors_per_step, cuts, promise(), look);
  });
  disk.after_step([this, &disk, promise, look](const DiskStep& step) {
    SCOPED_TRACE("cut after step " + text_of(step));
    look_around(disk, options_.survivors_per_step, {}, promise(), look);
  });
}

void CrashStates::watch_recovery(SimDisk& disk, std::uint64_t promise, const Look& look) {
  const Look shallow = [look](std::unique_ptr<SimDisk> found, const Situation&) {
    look(std::move(found), {.nothing_lost = false, .deep = false});
  };
  disk.on_step([this, &disk, promise, shallow](const DiskStep& step) {
    SCOPED_TRACE("and again before or inside step " + text_of(step) + " of the recovery");
    look_around(disk, kSurvivorsInRecovery, some_cuts_of(step.bytes, random_), promise, shallow);
  });
  disk.after_step([this, &disk, promise, shallow](const DiskStep& step) {
    SCOPED_TRACE("and again after step " + text_of(step) + " of the recovery");
    look_around(disk, kSurvivorsInRecovery, {}, promise, shallow);
  });
}

void CrashStates::unwatch(SimDisk& disk) {
  disk.on_step({});
  disk.after_step({});
}

void CrashStates::look_around(const SimDisk& disk, std::size_t survivors, const std::set<std::size_t>& bytes_done,
                              std::uint64_t promise, const Look& look) {
  look_at(disk.after_kill(), promise, Cut::killed, look);
  disk.for_each_survivor(survivors, random_.next(),
                         [&](std::unique_ptr<SimDisk> found) { look_at(std::move(found), promise, Cut::power, look); });
  for (const std::size_t bytes : bytes_done) {
    SCOPED_TRACE("after byte " + std::to_string(bytes));
    const std::unique_ptr<SimDisk> killed = disk.after_kill(bytes);
    look_at(killed->after_power_cut(random_.next()), promise, Cut::power, look);
    look_at(killed->after_kill(), promise, Cut::killed_inside_write, look);
  }
}

void CrashStates::look_at(std::unique_ptr<SimDisk> found, std::uint64_t promise, Cut cut, const Look& look) {
  if (testing::Test::HasFailure()) return;
  const std::size_t hash = found->contents_hash();
  distinct_.insert(hash);
  const std::size_t key = (hash ^ (promise * 3 + static_cast<std::uint64_t>(cut))) * 0x9e3779b97f4a7c15u;
  if (!looked_at_.insert(key).second) return;
  look(std::move(found), {.nothing_lost = cut == Cut::killed, .deep = random_.one_in(options_.deep_one_in)});
}

void see_crash_states(std::uint64_t shard, const CrashStates::Options& options,
                      const std::function<void(std::uint64_t seed, CrashStates& states)>& run_script) {
  const SilentLog silent;
  const std::size_t wanted = from_environment("LUNGO_CRASH_STATES", kStates) / (2 * kCrashShards);
  std::uint64_t seed =
      test_seed(shard * 1'000'001);  // so that the shards' first ones, often the only ones, differ in all that seeds decide
  CrashStates states{seed, wanted, options};
  const auto begin = std::chrono::steady_clock::now();
  for (; !states.enough(); ++seed) {
    SCOPED_TRACE("LUNGO_TEST_SEED=" + std::to_string(seed));
    run_script(seed, states);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  // tests/tidy/check_results.py adds these up.
  std::printf("seeds up to %llu: %zu distinct states, %zu looked at, in %.1f s\n", static_cast<unsigned long long>(seed - 1),
              states.distinct(), states.looked_at(), took.count());
  testing::Test::RecordProperty("crash_states", std::to_string(states.distinct()));
  EXPECT_GE(states.distinct(), wanted);
}

}  // namespace lungo::test
