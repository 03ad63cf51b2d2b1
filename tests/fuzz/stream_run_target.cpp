// A stream run of any bytes: opened, walked, looked up, merged.
#include "stream_run_merge.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/sim_disk.hpp"

namespace lungo::test {
namespace {

using namespace stream_run;

constexpr std::size_t kStreamsMax = 64;  // that are looked up

/// Gives footer, fence and pages the checks that they would have.
void mend(Bytes& bytes) {
  if (bytes.size() < kFooterBytes) return;
  const std::byte* const at = bytes.data() + bytes.size() - kFooterBytes;
  Footer footer;
  footer.origin.begin = Offset{load_little_endian<std::int64_t>(at + 8)};
  footer.origin.end = Offset{load_little_endian<std::int64_t>(at + 16)};
  footer.streams = load_little_endian<std::uint64_t>(at + 24);
  footer.records = load_little_endian<std::uint64_t>(at + 32);
  footer.origin.batch_crc = load_little_endian<std::uint32_t>(at + 40);
  footer.origin.epoch = LeaderEpoch{load_little_endian<std::int32_t>(at + 44)};
  footer.pages = load_little_endian<std::uint32_t>(at + 48);
  footer.blocks = load_little_endian<std::uint32_t>(at + 52);
  const std::size_t fence_bytes = std::size_t{footer.blocks} * kFenceEntryBytes;
  if (fence_bytes > bytes.size() - kFooterBytes) return;
  const BytesView fence = BytesView{bytes}.last(kFooterBytes + fence_bytes).first(fence_bytes);
  footer.fence_crc = crc32c(fence);
  std::ranges::copy(encode(footer), bytes.end() - kFooterBytes);

  for (std::size_t number = 0; (number + 1) * kPageBytes <= bytes.size() - kFooterBytes - fence_bytes; ++number) {
    PageKind kind = number < footer.pages ? PageKind::posting : PageKind::filter;
    for (std::size_t entry = 8; entry + 4 <= fence_bytes; entry += kFenceEntryBytes) {
      if (load_little_endian<std::uint32_t>(fence.data() + entry) == number) kind = PageKind::block;
    }
    Page page;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(number * kPageBytes), kPageBytes, page.begin());
    seal_page(page, kind, static_cast<PageNumber>(number), footer.origin);
    std::ranges::copy(page, bytes.begin() + static_cast<std::ptrdiff_t>(number * kPageBytes));
  }
}

void look_up(const StreamRunReader& run, const Entry& entry, const std::vector<Offset>& descending) {
  std::vector<Offset> found;
  const Result<void> looked = run.find(entry.hash, run.origin().begin, run.origin().end, descending.size() + 1, found);
  // A filter or a fence that was mended may say that there is nothing; nobody can know better.
  if (looked && !found.empty())
    require(std::ranges::equal(found, std::vector<Offset>(descending.rbegin(), descending.rend())), "find() is the walk");
  const Result<std::optional<StreamHead>> head = run.head(entry.hash);
  if (head && *head) require(**head == (StreamHead{entry.head, entry.place}), "head() is the walk's");
}

/// Walks all of it; nothing where it contradicts itself.
std::optional<Digest> walk(const std::shared_ptr<const StreamRunReader>& run) {
  Digest digest;
  StreamRunCursor cursor{run};
  std::uint64_t hash = 0;
  std::uint64_t streams = 0;
  std::uint64_t records = 0;
  while (true) {
    const Result<bool> more = cursor.next();
    if (!more) return std::nullopt;
    if (!*more) break;
    require(cursor.stream().hash > hash, "streams ascend");
    hash = cursor.stream().hash;
    digest.add(hash);
    std::vector<Offset> offsets;
    Result<std::optional<Offset>> offset = cursor.next_record();
    for (; offset && *offset; offset = cursor.next_record()) {
      require(**offset >= run->origin().begin && **offset < run->origin().end, "a record lies in the run");
      require(offsets.empty() || **offset < offsets.back(), "the records of a stream descend");
      offsets.push_back(**offset);
      digest.add(static_cast<std::uint64_t>((*offset)->value()));
    }
    if (!offset) return std::nullopt;
    records += offsets.size();
    require(!offsets.empty() && offsets.front() == cursor.stream().head, "a stream begins with its head");
    if (++streams <= kStreamsMax) look_up(*run, cursor.stream(), offsets);
  }
  require(streams == run->streams() && records == run->records(), "the footer counts what there is");
  return digest;
}

void look_into(SimDisk& disk) {
  const Result<std::shared_ptr<const StreamRunReader>> run = StreamRunReader::open(disk, "run");
  if (!run) return;
  for (const std::uint64_t hash : {std::uint64_t{1}, std::uint64_t{1} << 40, UINT64_MAX}) {
    static_cast<void>((*run)->head(hash));
    static_cast<void>((*run)->may_hold(hash));
  }
  const std::optional<Digest> contents = walk(*run);
  const auto merge = StreamRunMerge::begin(disk, "merged", {*run});
  if (!merge) return;
  Result<bool> done = false;
  while (done && !*done) done = (*merge)->step(1u << 20);
  if (!contents) return;
  require(done.has_value(), "what can be walked can be merged");
  require(walk(StreamRunReader::open(disk, "merged").value()) == contents, "a run merged alone is the same");
}

}  // namespace

void fuzz_stream_run(BytesView input) {
  FuzzInput fields{input};
  const bool mends = fields.byte() % 2 == 1;
  Bytes bytes(fields.rest().begin(), fields.rest().end());
  if (mends) mend(bytes);
  SimDisk disk;
  put_file(disk, "run", bytes);
  look_into(disk);
}

}  // namespace lungo::test
