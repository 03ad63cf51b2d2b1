// OrderPlaced with its fields in another order.
#include "print.hpp"

struct Line {
  double discount = 0;
  std::int32_t count = 0;
  std::string product;
};
struct OrderPlaced {
  std::vector<Line> lines;
  std::optional<std::string> note;
  std::string currency;
  std::int64_t cents = 0;
  std::string id;
};

int main() { return golden::print(OrderPlaced{{{0.5, 3, "tea"}}, "ring twice", "CHF", 750, "o-3"}); }
