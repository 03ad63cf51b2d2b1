// OrderPlaced when its amount was text such as "12.50": today an upcast reads it.
#include "print.hpp"

struct OrderPlaced {
  std::string id;
  std::string amount;
};

int main() { return golden::print(OrderPlaced{"o-6", "12.50"}); }
