// OrderPlaced before `currency` and `note` were added, and before Line had `discount`.
#include "print.hpp"

struct Line {
  std::string product;
  std::int32_t count = 0;
};
struct OrderPlaced {
  std::string id;
  std::int64_t cents = 0;
  std::vector<Line> lines;
};

int main() { return golden::print(OrderPlaced{"o-1", 1999, {{"beans", 2}, {"cup", 1}}}); }
