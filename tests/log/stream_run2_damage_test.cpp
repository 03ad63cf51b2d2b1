// Goal: no damage, hostile byte, failed call or power cut makes a stream run of version 2 answer wrongly.

#include <gtest/gtest.h>

#include <map>

#include "base/byte_order.hpp"
#include "base/crc32c.hpp"
#include "tests/log/stream_run2_fixture.hpp"

namespace lungo {
namespace {

using namespace test;
using namespace stream_run;

// Blocks and posting pages of more than one each, with a posting across pages.
struct DamageCase {
  static constexpr std::int64_t kApart = 200;  // so that a distance takes two bytes
  DamageCase() {
    OpenStreamRun open{Offset{0}};
    for (int i = 0; i < 7000; ++i) {
      const auto stream = static_cast<std::uint64_t>(i % 3 == 0 ? 2000 : i % 10 == 1 ? i % 13 : i);
      if (stream > 1500 && stream != 2000) continue;
      const std::uint64_t hash = (stream + 1) * kSpread;
      open.add(Offset{i * kApart}, hash, static_cast<std::uint32_t>(i) * 171);
      model[hash].push_back(Offset{i * kApart});
    }
    EXPECT_TRUE(open.write(disk, "run", 1, LeaderEpoch{1}, true));
    good = *read_file(disk, "run", 1 << 20);
    file = *disk.open("run", OpenMode::read_write);
  }
  // True when damage was seen. Never a wrong answer, looked up or walked through.
  bool reads_wrong() {
    const Result<RunPtr> run = StreamRunReader::open(disk, "run");
    if (!run) return true;
    bool seen = false;
    StreamRunCursor cursor{*run};
    std::vector<Offset> found;
    for (auto wanted = model.begin(); !seen; ++wanted) {
      const Result<bool> next = cursor.next();
      seen = !next;
      if (seen || !*next) break;
      EXPECT_TRUE(wanted != model.end() && wanted->first == cursor.stream().hash);
      found.clear();
      for (Result<std::optional<Offset>> record = cursor.next_record(); !seen; record = cursor.next_record()) {
        seen = !record;
        if (seen || !*record) break;
        found.push_back(**record);
      }
      EXPECT_TRUE(seen || std::equal(found.rbegin(), found.rend(), wanted->second.begin(), wanted->second.end()));
    }
    for (const std::uint64_t stream : {2000, 3, 700, 1400}) {
      const std::uint64_t hash = (stream + 1) * kSpread;
      found.clear();
      const Result<void> looked = (*run)->find(hash, Offset{0}, (*run)->origin().end, SIZE_MAX, found);
      seen |= !looked;
      EXPECT_TRUE(!looked || found == model[hash]);
      const Result<std::optional<StreamHead>> head = (*run)->head(hash);
      EXPECT_TRUE(!head || (*head && (*head)->offset == model[hash].back()));
    }
    return seen;
  }

  SimDisk disk;
  std::map<std::uint64_t, std::vector<Offset>> model;
  Bytes good;
  std::unique_ptr<File> file;
};

TEST(StreamRun2, EveryFlippedByteIsSeen) {
  DamageCase damage;
  ASSERT_FALSE(damage.reads_wrong());
  for (std::size_t at = 0; at < damage.good.size(); ++at) {
    const std::byte flipped = damage.good[at] ^ (std::byte{1} << (at % 8));
    ASSERT_TRUE(damage.file->write_at(at, {&flipped, 1}));
    ASSERT_TRUE(damage.reads_wrong()) << "byte " << at;
    if (HasFailure()) FAIL() << "byte " << at;
    ASSERT_TRUE(damage.file->write_at(at, {&damage.good[at], 1}));
    if (at % 512 == 0) static_cast<void>(damage.file->sync().has_value());  // or the simulated disk keeps every change
  }
  for (std::size_t size = 0; size < damage.good.size(); size += 61) {
    ASSERT_TRUE(damage.file->truncate(size));
    EXPECT_FALSE(StreamRunReader::open(damage.disk, "run"));
    ASSERT_TRUE(damage.file->write_at(0, damage.good));
  }
}

// What a crash may leave of an earlier file of the same name: the same range, another history.
TEST(StreamRun2, PagesOfAnotherHistoryAreSeen) {
  DamageCase damage;
  const StreamRunOrigin mine = decode_footer(BytesView{damage.good}.last(kFooterBytes), damage.good.size())->origin;
  for (const bool other_crc : {true, false}) {
    StreamRunOrigin other = mine;
    if (other_crc) {
      ++other.batch_crc;
    } else {
      other.epoch = LeaderEpoch{mine.epoch.value() + 1};
    }
    Page page;
    std::copy_n(damage.good.data(), kPageBytes, page.data());
    const PageKind kind = page_holds(page, PageKind::block, 0, mine) ? PageKind::block : PageKind::posting;
    ASSERT_TRUE(page_holds(page, kind, 0, mine));
    seal_page(page, kind, 0, other);
    ASSERT_TRUE(damage.file->write_at(0, page));
    EXPECT_TRUE(damage.reads_wrong());
  }
}

// A page in another's place, or of a run of another range, fails although its bytes are whole.
TEST(StreamRun2, PagesOutOfPlaceAreSeen) {
  DamageCase damage;
  const std::size_t pages = damage.good.size() / kPageBytes;
  ASSERT_GE(pages, 5u);
  for (std::size_t from = 0; from < pages; ++from) {
    for (std::size_t to = 0; to < pages; ++to) {
      if (from == to) continue;
      ASSERT_TRUE(damage.file->write_at(to * kPageBytes, BytesView{damage.good}.subspan(from * kPageBytes, kPageBytes)));
      ASSERT_TRUE(damage.reads_wrong());
      ASSERT_TRUE(damage.file->write_at(0, damage.good));
    }
  }
}

TEST(StreamRun2, FootersThatClaimMoreThanTheFileHoldAreRefused) {
  DamageCase damage;
  const std::uint64_t footer_at = damage.good.size() - kFooterBytes;
  const Footer good = *decode_footer(BytesView{damage.good}.subspan(footer_at), damage.good.size());
  const auto refused = [&](const auto& change) {
    Footer footer = good;
    change(footer);
    EXPECT_TRUE(damage.file->write_at(footer_at, encode(footer)));
    const Result<RunPtr> run = StreamRunReader::open(damage.disk, "run");
    return !run && run.error() == Errc::corrupt;
  };
  for (const std::uint64_t huge : {std::uint64_t{1} << 31, std::uint64_t{1} << 40, UINT64_MAX / 10, UINT64_MAX}) {
    EXPECT_TRUE(refused([&](Footer& footer) { footer.streams = huge; }));
    EXPECT_TRUE(refused([&](Footer& footer) { footer.records = huge; }));
    EXPECT_TRUE(refused([&](Footer& footer) {
      footer.streams = footer.records = huge;
      footer.origin.end = Offset{INT64_MAX};
      footer.pages = footer.blocks = UINT32_MAX;
    }));
    EXPECT_TRUE(refused([&](Footer& footer) { footer.pages = static_cast<std::uint32_t>(huge - 1); }));
    EXPECT_TRUE(refused([&](Footer& footer) { footer.blocks = static_cast<std::uint32_t>(huge - 1); }));
  }
  EXPECT_TRUE(refused([](Footer& footer) { footer.origin.begin = Offset{-1}; }));
  EXPECT_TRUE(refused([](Footer& footer) { footer.origin.begin = footer.origin.end.next(); }));
  EXPECT_TRUE(refused([](Footer& footer) { footer.origin.begin = Offset{INT64_MIN}, footer.origin.end = Offset{INT64_MAX}; }));
  EXPECT_TRUE(refused([](Footer& footer) { ++footer.pages; }));
  EXPECT_TRUE(refused([](Footer& footer) { --footer.blocks; }));
}

TEST(StreamRun2, ALaterVersionIsRefusedByName) {
  DamageCase damage;
  Bytes footer(damage.good.end() - kFooterBytes, damage.good.end());
  footer[4] = std::byte{3};
  store_little_endian(footer.data() + kFooterBytes - 4, crc32c(BytesView{footer}.first(kFooterBytes - 4)));
  ASSERT_TRUE(damage.file->write_at(damage.good.size() - kFooterBytes, footer));
  EXPECT_EQ(StreamRunReader::open(damage.disk, "run").error(), Errc::newer_format);
}

// A posting that leads back to itself, of a stream that claims 2^61 records: refused after its pages were read once.
TEST(StreamRun2, APostingWithoutAnEndIsRefused) {
  for (const PageNumber leads_to : {0u, 1u, 2u}) {
    SimDisk disk;
    const StreamRunOrigin origin{.begin = Offset{0}, .end = Offset{std::int64_t{1} << 62}};
    const auto writer = *StreamRunWriter::create(disk, "run", origin);
    writer->begin_stream(kSpread, origin.end.plus(-1), 0);
    for (std::int64_t i = 2; i < 6000; ++i) ASSERT_TRUE(writer->add_earlier(origin.end.plus(-i)));
    ASSERT_TRUE(writer->end_stream());
    ASSERT_TRUE(*writer->finish(1));
    ASSERT_TRUE(writer->publish(false));

    Bytes bytes = *read_file(disk, "run", 1 << 20);
    const auto file = *disk.open("run", OpenMode::read_write);
    Page posting;
    std::copy_n(bytes.data() + kPageBytes, kPageBytes, posting.data());
    ASSERT_TRUE(page_holds(posting, PageKind::posting, 1, origin));
    std::fill_n(posting.data(), kPostingRoom, std::byte{1});  // to its end, or a distance of 0 would end it
    store_little_endian(posting.data() + kPostingRoom, leads_to);
    seal_page(posting, PageKind::posting, 1, origin);
    ASSERT_TRUE(file->write_at(kPageBytes, posting));
    Entry entry{.hash = kSpread, .count = std::uint64_t{1} << 61, .head = origin.end.plus(-1)};
    entry.posting = {.at = 0, .size = entry.count};
    BlockBuilder block;
    ASSERT_TRUE(block.add(entry, origin.end));
    seal_page(block.page(), PageKind::block, 2, origin);
    ASSERT_TRUE(file->write_at(2 * kPageBytes, block.page()));
    Footer footer = *decode_footer(BytesView{bytes}.last(kFooterBytes), bytes.size());
    footer.records = entry.count;
    ASSERT_TRUE(file->write_at(bytes.size() - kFooterBytes, encode(footer)));

    const RunPtr run = open_run(disk, "run");
    std::vector<Offset> found;
    const Result<void> looked = run->find(kSpread, Offset{0}, origin.end, SIZE_MAX, found);
    ASSERT_FALSE(looked);
    EXPECT_EQ(looked.error(), Errc::corrupt);
    EXPECT_LE(found.size(), 1 + 2 * kPostingRoom);
  }
}

// Random bytes in pages and fence, with checks that hold: answers may be wrong, but lie in the range, and reading comes to an
// end.
TEST(StreamRun2, HostilePagesStayInTheirBounds) {
  const std::uint64_t seed = test_seed(17);
  SCOPED_TRACE(seed);
  Random random{seed};
  DamageCase damage;
  Footer footer = *decode_footer(BytesView{damage.good}.last(kFooterBytes), damage.good.size());
  int refused = 0;
  for (int round = 0; round < 6000; ++round) {
    Bytes bytes = damage.good;
    for (std::uint64_t i = 0, changes = 1 + random.below(4); i < changes; ++i) {
      // Ends of pages (next) and fronts (first hashes) more often than the rest.
      const std::uint64_t page = random.below(footer.fence_at() / kPageBytes) * kPageBytes;
      const std::uint64_t in_page =
          random.one_in(4) ? kPostingRoom + random.below(4) : random.below(random.one_in(2) ? 40 : kPageRoom);
      bytes[random.one_in(8) ? footer.fence_at() + random.below(footer.blocks * kFenceEntryBytes) : page + in_page] =
          random.one_in(3) ? std::byte{0xff} : static_cast<std::byte>(random.below(256));
    }
    for (PageNumber number = 0; number < footer.fence_at() / kPageBytes; ++number) {
      for (const PageKind kind : {PageKind::block, PageKind::posting, PageKind::filter}) {
        Page page;
        std::copy_n(damage.good.data() + number * kPageBytes, kPageBytes, page.data());
        if (!page_holds(page, kind, number, footer.origin)) continue;
        std::copy_n(bytes.data() + number * kPageBytes, kPageBytes, page.data());
        seal_page(page, kind, number, footer.origin);
        std::copy(page.begin(), page.end(), bytes.data() + number * kPageBytes);
      }
    }
    footer.fence_crc = crc32c(BytesView{bytes}.subspan(footer.fence_at(), footer.blocks * kFenceEntryBytes));
    const auto sealed = encode(footer);
    std::copy(sealed.begin(), sealed.end(), bytes.end() - kFooterBytes);
    ASSERT_TRUE(damage.file->write_at(0, bytes));
    if (round % 64 == 0) static_cast<void>(damage.file->sync().has_value());

    const Result<RunPtr> run = StreamRunReader::open(damage.disk, "run");
    if (!run) {
      ASSERT_EQ(run.error(), Errc::corrupt);
      ++refused;
      continue;
    }
    EXPECT_LE((*run)->resident_bytes(), bytes.size());
    std::vector<Offset> found;
    for (const std::uint64_t stream : {2000, 3, 700, 1400}) {
      found.clear();
      const Result<void> looked = (*run)->find((stream + 1) * kSpread, Offset{0}, (*run)->origin().end, SIZE_MAX, found);
      ASSERT_TRUE(looked || looked.error() == Errc::corrupt);
      ASSERT_LE(found.size(), bytes.size());
      ASSERT_TRUE(!looked || std::is_sorted(found.begin(), found.end()));
      for (const Offset offset : found) ASSERT_TRUE(offset >= Offset{0} && offset < footer.origin.end);
    }
    const auto merge = StreamRunMerge::begin(damage.disk, "merged", {*run});
    ASSERT_TRUE(merge);
    const Result<bool> merged = (*merge)->step(1 << 30);
    ASSERT_TRUE(merged || merged.error() == Errc::corrupt);
    refused += !merged;
  }
  EXPECT_GT(refused, 3000);
}

// Two runs and their merge; `from` is the first step of the merge.
struct MergeCase {
  explicit MergeCase(std::uint64_t seed) : disk(seed), workload(seed) {
    EXPECT_TRUE(disk.make_directories("d"));
    workload.add_run(disk, 800, 30);
    workload.add_run(disk, 800, 3000);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE((*disk.open("run" + std::to_string(i), OpenMode::read_write))->sync());
    }
    EXPECT_TRUE(disk.sync_directory("."));
    from = disk.steps() + 1;
  }
  Result<void> merge() {
    const auto merge = StreamRunMerge::begin(disk, "d/merged", workload.runs);
    if (!merge) return merge.error();
    while (!(*merge)->done()) {
      const Result<bool> stepped = (*merge)->step(4096);
      if (!stepped) return stepped.error();
    }
    return {};
  }
  void verify(Storage& storage) {
    workload.runs = {open_run(storage, "d/merged")};
    ASSERT_NE(workload.runs[0], nullptr);
    workload.verify(Offset{0});
  }

  SimDisk disk;
  Workload workload;
  std::uint64_t from = 0;
};

TEST(StreamRun2, AMergeThatFailsLeavesNothing) {
  MergeCase whole{1};
  ASSERT_TRUE(whole.merge());
  const std::uint64_t steps = whole.disk.steps() + 1 - whole.from;
  ASSERT_GT(steps, 8u);
  for (std::uint64_t step = 0; step < steps; ++step) {
    MergeCase failing{1};
    failing.disk.fail_step(failing.from + step, step % 2 == 0 ? Errc::no_space : Errc::io);
    EXPECT_FALSE(failing.merge()) << step;
    EXPECT_FALSE(*failing.disk.exists("d/merged.tmp"));
    // The last step is the directory's sync: the file has its name and is whole, but the inputs must stay.
    EXPECT_EQ(*failing.disk.exists("d/merged"), step == steps - 1);
  }
}

TEST(StreamRun2, AfterAPowerCutAMergedRunIsWholeOrNotThere) {
  MergeCase whole{2};
  int there = 0;
  whole.disk.on_step([&](const DiskStep& step) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto disk = whole.disk.after_power_cut(step.number * 100 + seed);
      if (!disk->exists("d/merged").value()) continue;
      ++there;
      MergeCase copy{2};
      copy.verify(*disk);
    }
  });
  ASSERT_TRUE(whole.merge());
  whole.disk.on_step({});
  EXPECT_GT(there, 0) << "the rename survives the missing sync of its directory now and then";
  for (std::uint64_t seed = 0; seed < 20; ++seed) whole.verify(*whole.disk.after_power_cut(seed));
}

// A run that was not synced is whole, not there, or refused.
TEST(StreamRun2, AfterAPowerCutARunThatWasNotSyncedIsNeverWrong) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    SimDisk disk{seed};
    OpenStreamRun open{Offset{0}};
    for (int i = 0; i < 1000; ++i) open.add(Offset{i}, (static_cast<std::uint64_t>(i) + 1) * kSpread, 1);
    ASSERT_TRUE(open.write(disk, "new", 1, LeaderEpoch{1}, false));
    disk.power_cut(seed);
    const Result<RunPtr> run = StreamRunReader::open(disk, "new");
    if (!run) {
      ASSERT_TRUE(run.error() == Errc::not_found || run.error() == Errc::corrupt) << run.error();
      continue;
    }
    for (int i = 0; i < 1000; i += 37) {
      const auto head = (*run)->head((static_cast<std::uint64_t>(i) + 1) * kSpread);
      ASSERT_TRUE(!head || (*head && (*head)->offset == Offset{i}));
    }
  }
}

}  // namespace
}  // namespace lungo
