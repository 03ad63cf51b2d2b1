// lungo-bench-parts: what an append and a scan are made of, one part at a time, with Google Benchmark. The raw calls beside
// them say what no log can be faster than.
//
// usage: lungo-bench-parts [Google Benchmark's options]; the raw calls work in a file in the current folder that has no name
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include <lungo/log/compression.hpp>
#include <lungo/log/event_log.hpp>
#include <lungo/log/record_batch.hpp>

#include "base/compression.hpp"
#include "base/crc32c.hpp"

namespace lungo::bench {
namespace {

constexpr std::size_t kRecords = 500;
constexpr std::size_t kFileBytes = 16u << 20;
constexpr std::size_t kReadBytes = 256u << 10;

/// A batch of so many records of 100 bytes, as a topic has it.
EncodedRecords records_of(std::size_t count) {
  const std::string value(100, 'v');
  EncodedRecords records;
  for (std::size_t i = 0; i < count; ++i) records.add({.timestamp = {}, .value = as_bytes(value)}).value();
  return records;
}

Bytes batch_of(std::size_t count) {
  EncodedRecords records = records_of(count);
  const BytesView batch = records.stamp(Offset{0}, LeaderEpoch{1});
  return {batch.begin(), batch.end()};
}

/// Words like those of web events: something that a codec can do something about.
Bytes text_of(std::size_t bytes) {
  std::string text;
  for (std::uint32_t i = 1; text.size() < bytes; i = i * 1'664'525 + 1'013'904'223) {
    text += "/shop/item/" + std::to_string(i >> 18) + "?ref=" + std::to_string((i >> 8) % 50) + " ";
  }
  text.resize(bytes);
  return {as_bytes(text).begin(), as_bytes(text).end()};
}

/// In the page cache, page by page as small appends leave it: of a file that was written at once, ext4 has such large folios
/// that writing 171 bytes into one takes twenty times as long.
class RawFile {
 public:
  RawFile() : file_(open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    const Bytes page(4096);
    for (std::size_t at = 0; at < kFileBytes; at += page.size()) {
      if (file_ < 0 || pwrite(file_, page.data(), page.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(page.size())) {
        throw std::runtime_error("the current folder takes no file of 16 MiB");
      }
    }
  }
  ~RawFile() { close(file_); }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

void records_a_second(benchmark::State& state, std::size_t count) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
}

// Header and checksum included.
void encode(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::string value(100, 'v');
  EncodedRecords records;
  for (auto _ : state) {
    records.clear();
    for (std::size_t i = 0; i < count; ++i) records.add({.timestamp = {}, .value = as_bytes(value)}).value();
    benchmark::DoNotOptimize(records.stamp(Offset{7}, LeaderEpoch{1}).data());
  }
  records_a_second(state, count);
}
BENCHMARK(encode)->Arg(1)->Arg(kRecords);

void decode(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Bytes batch = batch_of(count);
  for (auto _ : state) {
    RecordCursor cursor{batch, Offset{0}};
    std::size_t bytes = 0;
    while (const RecordView* record = cursor.next()) bytes += record->value.size();
    benchmark::DoNotOptimize(bytes);
  }
  records_a_second(state, count);
}
BENCHMARK(decode)->Arg(1)->Arg(kRecords);

void verify(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Bytes batch = batch_of(count);
  for (auto _ : state) benchmark::DoNotOptimize(verify_batch(batch).has_value());
  records_a_second(state, count);
}
BENCHMARK(verify)->Arg(1)->Arg(kRecords);

void checksum(benchmark::State& state) {
  const Bytes bytes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(110)->Arg(54'600);

void partition_of(benchmark::State& state) {
  const std::string key = "visitor-1234567890";
  for (auto _ : state) benchmark::DoNotOptimize(partition_of_key(key, 12));
  records_a_second(state, 1);
}
BENCHMARK(partition_of);

void compression(benchmark::State& state) {
  const auto codec = static_cast<Compression>(state.range(0));
  const Bytes text = text_of(54'600);
  Bytes packed;
  for (auto _ : state) {
    packed.clear();
    compress(codec, text, packed).value();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetLabel(std::string(to_string(codec)));
}
BENCHMARK(compression)->DenseRange(1, 4);

// What the kernel takes for the bytes of so many records, into pages that are there.
void raw_write(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const RawFile file;
  const Bytes batch = batch_of(count);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at + batch.size() > kFileBytes) at = 0;
    if (pwrite(file.get(), batch.data(), batch.size(), static_cast<off_t>(at)) < 0) return state.SkipWithError("pwrite");
    at += batch.size();
  }
  records_a_second(state, count);
}
BENCHMARK(raw_write)->Arg(1)->Arg(kRecords);

void raw_read(benchmark::State& state) {
  const RawFile file;
  Bytes buffer(kReadBytes);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at + kReadBytes > kFileBytes) at = 0;
    if (pread(file.get(), buffer.data(), kReadBytes, static_cast<off_t>(at)) < 0) return state.SkipWithError("pread");
    at += kReadBytes;
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kReadBytes));
}
BENCHMARK(raw_read);

}  // namespace
}  // namespace lungo::bench

BENCHMARK_MAIN();
