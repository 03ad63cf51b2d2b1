#include "harness.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace lungo::bench {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string json_of(const Figures& figures) {
  std::string text;
  char number[64];
  for (const auto& [name, figure] : figures) {
    std::snprintf(number, sizeof number, "\": %.6g", figure);
    text += (text.empty() ? "\"" : ", \"") + name + number;
  }
  return "{" + text + "}";
}

void print_line(std::string_view figure, std::string_view unit, const Figures& figures, const Figures& ratios) {
  std::printf("{\"figure\": \"%s\", \"unit\": \"%s\", \"figures\": %s, \"ratios\": %s}\n", std::string(figure).c_str(),
              std::string(unit).c_str(), json_of(figures).c_str(), json_of(ratios).c_str());
  std::fflush(stdout);
}

}  // namespace

void compete(std::string_view figure, std::string_view unit, int rounds, std::vector<Contestant> contestants) {
  if (const char* const alone = std::getenv("LUNGO_BENCH_ALONE")) {
    contestants.resize(1);
    rounds = std::max(std::atoi(alone), 1);
  }
  const std::size_t count = contestants.size();
  for (const Contestant& contestant : contestants) static_cast<void>(contestant.round());

  std::vector<std::vector<double>> results(count);
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < count; ++turn) {
      const std::size_t who = (static_cast<std::size_t>(round) + turn) % count;
      if (round % contestants[who].one_in == 0) results[who].push_back(contestants[who].round());
    }
  }

  Figures figures;
  Figures ratios;
  for (std::size_t who = 0; who < count; ++who) {
    figures.emplace_back(contestants[who].name, median(results[who]));
    if (who == 0) continue;
    std::vector<double> by_round;
    const auto one_in = static_cast<std::size_t>(contestants[who].one_in);
    for (std::size_t i = 0; i < results[who].size(); ++i) by_round.push_back(results[0][i * one_in] / results[who][i]);
    ratios.emplace_back(contestants[who].name, median(by_round));
  }
  print_line(figure, unit, figures, ratios);
}

void print(std::string_view figure, std::string_view unit, const Figures& figures) { print_line(figure, unit, figures, {}); }

void print(std::string_view figure, const std::vector<std::pair<std::string, const Histogram*>>& histograms) {
  std::string text;
  for (const auto& [name, histogram] : histograms) {
    Figures percentiles;
    for (const auto& [label, share] :
         {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}}) {
      percentiles.emplace_back(label, static_cast<double>(histogram->at(share)) / 1000);
    }
    percentiles.emplace_back("max", static_cast<double>(histogram->max()) / 1000);
    text += (text.empty() ? "\"" : ", \"") + name + "\": " + json_of(percentiles);
  }
  std::printf("{\"figure\": \"%s\", \"unit\": \"us\", \"percentiles\": {%s}}\n", std::string(figure).c_str(), text.c_str());
  std::fflush(stdout);
}

}  // namespace lungo::bench
