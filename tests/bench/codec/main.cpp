// lungo-bench-codec: encodes and decodes one event again and again, ours and Boost's binary archive; prints one JSON object of
// nanoseconds per event and bytes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <lungo/framework/codec.hpp>

#include "click.hpp"

namespace {

using namespace lungo::bench;

constexpr int kRounds = 7;
constexpr int kEventsPerRound = 200'000;

/// Nanoseconds per call: the median of some rounds.
template <class Work>
double nanoseconds_of(Work work) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kEventsPerRound; ++i) work();
    rounds.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() /
                     kEventsPerRound);
  }
  std::ranges::sort(rounds);
  return rounds[kRounds / 2];
}

void run() {
  const Clicked click = sample_click();
  lungo::Bytes ours;
  std::string theirs;
  Clicked read;
  const double encode = nanoseconds_of([&] {
    ours.clear();
    lungo::encode(click, ours);
  });
  const double decode = nanoseconds_of([&] { lungo::decode(ours, read).value(); });
  if (read.basket.size() != click.basket.size() || read.url != click.url) throw std::runtime_error("decoded something else");
  const double boost_encode_time = nanoseconds_of([&] { boost_encode(click, theirs); });
  const double boost_decode_time = nanoseconds_of([&] { boost_decode(theirs, read); });
  std::printf(
      "{\"encode\": %.0f, \"decode\": %.0f, \"bytes\": %zu, \"boost_encode\": %.0f, \"boost_decode\": %.0f, \"boost_bytes\": "
      "%zu}\n",
      encode, decode, ours.size(), boost_encode_time, boost_decode_time, theirs.size());
}

}  // namespace

int main() {
  try {
    run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lungo-bench-codec: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
