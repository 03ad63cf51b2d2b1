// The event when it was called OrderMade and its `id` was `order_number`.
#include "print.hpp"

struct OrderMade {
  std::string order_number;
  std::int64_t cents = 0;
};

int main() { return golden::print(OrderMade{"o-4", 100}); }
