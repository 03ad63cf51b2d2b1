// `.index` and `.timeindex` with any bytes: look-ups never fail, and are right where the entries ascend.
#include <vector>

#include "sparse_index.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/sim_disk.hpp"

namespace lungo::test {
namespace {

template <class Entry>
void look_up(SparseIndex<Entry>& index, std::int64_t key) {
  const std::optional<Entry> found = index.find_at_most(key);
  require(!found || found->key() <= key, "an entry that was found is not above the key");
  std::optional<Entry> expected;
  std::int64_t before = std::numeric_limits<std::int64_t>::min();
  for (std::size_t i = 0; i < index.count(); ++i) {
    const std::optional<Entry> entry = index.at(i);
    require(entry.has_value(), "entries that are counted are there");
    if (i > 0 && entry->key() <= before) return;  // out of order: any answer will do
    before = entry->key();
    if (entry->key() <= key) expected = entry;
  }
  require(found.has_value() == expected.has_value() && (!found || found->key() == expected->key()), "the greatest at most");
}

template <class Entry>
void look_into(BytesView bytes, std::int64_t key) {
  SimDisk disk;
  put_file(disk, "index", bytes);
  const auto index = SparseIndex<Entry>::open(disk, "index", OpenMode::create).value();
  require(index->count() <= bytes.size() / Entry::kBytes, "no more entries than bytes");
  look_up(*index, key);
  for (std::size_t i = 0; i < std::min<std::size_t>(index->count(), 8); ++i) {
    const std::int64_t near = index->at(i)->key();
    look_up(*index, near);
    if (near > std::numeric_limits<std::int64_t>::min()) look_up(*index, near - 1);
  }
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < index->count(); ++i) entries.push_back(*index->at(i));
  index->replace(entries).value();
  Entry more{};
  more.relative_offset = 1;
  index->append(more).value();
  require(index->count() == entries.size() + 1, "an entry was added");
  index->refresh().value();
  require(index->count() == entries.size() + 1, "and is there");
}

}  // namespace

void fuzz_sparse_index(BytesView input) {
  FuzzInput fields{input};
  const bool is_time = fields.byte() % 2 == 1;
  std::array<std::byte, 8> key{};
  std::ranges::copy(fields.take(key.size()), key.begin());
  const auto wanted = load_big_endian<std::int64_t>(key.data());
  if (is_time) {
    look_into<TimeEntry>(fields.rest(), wanted);
  } else {
    look_into<OffsetEntry>(fields.rest(), wanted);
  }
}

}  // namespace lungo::test
