// OrderPlaced when its numbers were narrower, its note always there and its times in seconds.
#include "print.hpp"

enum class Channel : std::uint8_t { web = 1, phone = 2 };
struct Line {
  std::string product;
  std::int8_t count = 0;
  float discount = 0;
};
struct OrderPlaced {
  std::string id;
  std::int16_t cents = 0;
  std::string note;
  std::vector<Line> lines;
  Channel channel{};
  std::chrono::sys_seconds at;
};

int main() {
  return golden::print(OrderPlaced{"o-5",
                                   -32768,
                                   "late",
                                   {{"milk", -1, 0.25F}},
                                   Channel::phone,
                                   std::chrono::sys_seconds{std::chrono::seconds{1'700'000'000}}});
}
