// OrderPlaced while it still had `coupon`, a nested `courier` and a map that are gone.
#include "print.hpp"

struct Courier {
  std::string name;
  std::optional<double> rating;
};
struct OrderPlaced {
  std::string coupon;
  std::string id;
  Courier courier;
  std::int64_t cents = 0;
  std::map<std::string, std::vector<Courier>> offers;
  std::variant<std::int32_t, std::string> source;
};

int main() {
  return golden::print(OrderPlaced{"SPRING", "o-2", {"Ada", 4.5}, 500, {{"x", {{"Bob", {}}, {"Eve", 1.0}}}}, "shop"});
}
