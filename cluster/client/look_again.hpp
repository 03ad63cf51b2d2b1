// What a broker does not know yet, or tells of before, is asked again until it is as it has to be. Threads: any.
#pragma once

#include <chrono>

#include <lungo/log/ports.hpp>

namespace lungo {

/// Asks until `is_good(answer)`, every 20 ms; at `deadline` the last answer is the result.
template <class Ask, class IsGood>
auto look_again(const Ports& ports, Instant deadline, const Ask& ask, const IsGood& is_good) {
  constexpr Duration kPause = std::chrono::milliseconds{20};
  auto answer = ask();
  while (!is_good(answer) && ports.clock.monotonic() < deadline) {
    ports.executor.wait_until([] { return false; }, ports.clock.monotonic() + kPause);
    answer = ask();
  }
  return answer;
}

}  // namespace lungo
