// What the tests of stream runs share: a partition's log as the index sees it, cut into runs, beside a plain model of it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "key_hash.hpp"
#include "open_stream_run.hpp"
#include "stream_run_merge.hpp"
#include "tests/support/random.hpp"
#include "tests/support/sim_disk.hpp"

namespace lungo::test {

using RunPtr = std::shared_ptr<const StreamRunReader>;

inline constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;

inline RunPtr open_run(Storage& storage, const std::string& path) {
  const Result<RunPtr> run = StreamRunReader::open(storage, path);
  EXPECT_TRUE(run) << run.error();
  return run ? *run : nullptr;
}

struct Record {
  Offset offset;
  std::uint32_t place = 0;
};
using Model = std::map<std::uint64_t, std::vector<Record>>;

inline std::vector<Offset> expected(const std::vector<Record>& records, Offset begin, Offset end) {
  std::vector<Offset> offsets;
  for (const Record& record : records) {
    if (record.offset >= begin && record.offset < end) offsets.push_back(record.offset);
  }
  return offsets;
}

// A log of a partition as the index sees it, cut into runs.
struct Workload {
  explicit Workload(std::uint64_t seed) : random(seed) {}

  // A tenth of the records lies in one stream, a tenth has no key, some offsets have no record; hashes lie side by side, too.
  std::uint64_t draw_hash(std::uint64_t streams) {
    if (random.one_in(10)) return kNoKeyHash;
    if (random.one_in(10)) return UINT64_MAX;
    const std::uint64_t stream = random.below(streams) + 1;
    return stream % 8 == 0 ? stream : stream * kSpread;
  }
  void add_run(Storage& storage, int records, std::uint64_t streams) {
    OpenStreamRun open{end};
    for (int i = 0; i < records; ++i) {
      if (random.one_in(50)) open.pass(open.end().plus(static_cast<std::int64_t>(random.below(1000))));
      const Offset offset = open.end();
      const std::uint64_t hash = draw_hash(streams);
      const auto place = static_cast<std::uint32_t>(random.next());
      open.add(offset, hash, place);
      if (hash != kNoKeyHash) model[hash].push_back({offset, place});
    }
    const std::string path = "run" + std::to_string(made++);
    const Result<void> written = open.write(storage, path, static_cast<std::uint32_t>(made), LeaderEpoch{made}, false);
    ASSERT_TRUE(written) << written.error();
    end = open.end();
    runs.push_back(open_run(storage, path));
    ASSERT_NE(runs.back(), nullptr);
    ASSERT_EQ(runs.back()->origin(), (StreamRunOrigin{open.begin(), end, static_cast<std::uint32_t>(made), LeaderEpoch{made}}));
  }
  void merge(Storage& storage, std::size_t first, std::size_t count, std::size_t step, Offset start) {
    const StreamRunMerge::Runs inputs(runs.begin() + static_cast<std::ptrdiff_t>(first),
                                      runs.begin() + static_cast<std::ptrdiff_t>(first + count));
    const std::string path = "run" + std::to_string(made++);
    const auto merge = StreamRunMerge::begin(storage, path, inputs, start);
    ASSERT_TRUE(merge) << merge.error();
    while (!(*merge)->done()) {
      EXPECT_FALSE(*storage.exists(path));
      const Result<bool> stepped = (*merge)->step(step);
      ASSERT_TRUE(stepped) << stepped.error();
    }
    runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(first + 1),
               runs.begin() + static_cast<std::ptrdiff_t>(first + count));
    runs[first] = open_run(storage, path);
    ASSERT_NE(runs[first], nullptr);
    ASSERT_EQ(runs[first]->origin().batch_crc, inputs.back()->origin().batch_crc);
    ASSERT_EQ(runs[first]->origin().epoch, inputs.back()->origin().epoch);
  }
  // What all runs say together is what the model has, look-up by look-up and walked through.
  void verify(Offset start) {
    std::uint64_t records = 0;
    for (const auto& [hash, all] : model) {
      const Offset begin =
          std::max(start, Offset{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(end.value())))});
      const Offset until = random.one_in(3) ? end : begin.plus(static_cast<std::int64_t>(random.below(3000)));
      std::vector<Offset> found;
      std::optional<StreamHead> head;
      for (const RunPtr& run : runs) {
        const Result<void> looked = run->find(hash, begin, until, SIZE_MAX, found);
        ASSERT_TRUE(looked) << looked.error();
        const Result<std::optional<StreamHead>> last = run->head(hash);
        ASSERT_TRUE(last) << last.error();
        if (*last) head = *last;
      }
      ASSERT_EQ(found, expected(all, begin, until));
      records += expected(all, start, end).size();
      if (all.back().offset < start) continue;
      ASSERT_TRUE(head);
      ASSERT_EQ(*head, (StreamHead{all.back().offset, all.back().place}));
    }
    std::uint64_t counted = 0;
    for (const RunPtr& run : runs) counted += run->records();
    ASSERT_EQ(counted, records);
  }

  Random random;
  Model model;
  std::vector<RunPtr> runs;  // neighbours
  Offset end{500};
  int made = 0;
};

}  // namespace lungo::test
