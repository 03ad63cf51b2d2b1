// What reads bytes that may be anything, one function each: for libFuzzer (libfuzzer.cpp) and for the replay of what it found
// (corpus_test.cpp).
//
// Promise of a target: whatever the bytes are, it returns; it throws std::logic_error where the code under test breaks its own
// word. Checksums would keep a fuzzer out of everything, so most targets mend them first where a bit of the input says so.
// Threads: one.
#pragma once

#include <span>
#include <stdexcept>
#include <string_view>

#include <lungo/log/bytes.hpp>

namespace lungo::test {

struct FuzzTarget {
  std::string_view name;
  void (*run)(BytesView input);
};

std::span<const FuzzTarget> fuzz_targets();
/// Null when there is none of that name.
const FuzzTarget* fuzz_target(std::string_view name);

void fuzz_record_batch(BytesView input);
void fuzz_compression(BytesView input);
void fuzz_partition(BytesView input);
void fuzz_sparse_index(BytesView input);
void fuzz_text_files(BytesView input);
void fuzz_slot_files(BytesView input);
void fuzz_directory(BytesView input);
void fuzz_stream_run(BytesView input);
void fuzz_producer_snapshot(BytesView input);
void fuzz_mirror_batch(BytesView input);

inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

}  // namespace lungo::test
