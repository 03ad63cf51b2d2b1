// Golden directory number_widened: numbers that are wider today, and one that is narrower, with a value that still fits and one
// that does not.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::uint8_t items = 0;
  std::int32_t cents = 0;
  float weight = 0;
  std::chrono::duration<std::int32_t> took{};
  std::int64_t points = 0;
};

void write(lungo::golden::Writer& out) {
  using Seconds = std::chrono::duration<std::int32_t>;
  out.append("1", OrderPlaced{255, -2147483647 - 1, 0.5F, Seconds{90}, 2147483647});
  out.append("2", OrderPlaced{0, 0, -1.5F, Seconds{-1}, -2147483648LL});
  out.append("3", OrderPlaced{1, 1, 1, Seconds{1}, 2147483648LL});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
