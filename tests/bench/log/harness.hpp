// Rounds that alternate between contestants in one process, and the JSON line that says what came out of them.
//
// Not Google Benchmark: it measures one function to the end before it starts the next (or shuffles whole repetitions), chooses
// by itself how often to call, while what is written here has to stay below a limit, and knows neither ratios between
// neighbouring rounds nor percentiles.
//
// Threads: one, the case's.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "histogram.hpp"

namespace lungo::bench {

/// Whoever takes part in a case: `round` does one round's work and returns its figure. What it measures is its own choice, so
/// that preparing a round can stay outside.
struct Contestant {
  std::string name;
  std::function<double()> round;
  int one_in = 1;  // rounds: whose writes much takes part in some only; not for the first one
};

/// Runs one round that does not count and then `rounds` that do; prints each contestant's median and, for all but the first,
/// the median of the rounds' ratios: the first one's figure by theirs. Who begins changes from round to round. With
/// LUNGO_BENCH_ALONE the first one does so many rounds by itself, for a profiler.
void compete(std::string_view figure, std::string_view unit, int rounds, std::vector<Contestant> contestants);

/// Prints figures that no rounds made.
using Figures = std::vector<std::pair<std::string, double>>;
void print(std::string_view figure, std::string_view unit, const Figures& figures);

/// Prints each contestant's median, 99 % and so on in microseconds.
void print(std::string_view figure, const std::vector<std::pair<std::string, const Histogram*>>& histograms);

template <class Work>
double seconds_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace lungo::bench
