// Golden directory field_added: an event that has fewer fields than today, alone and inside another struct.
#include "tests/golden/writers/writer.hpp"

namespace {

struct Item {
  std::string sku;
  std::int32_t count = 0;
};

struct OrderPlaced {
  std::string customer;
  std::int64_t cents = 0;
  std::vector<Item> items;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann", 1999, {{"espresso", 2}, {"mug", 1}}});
  out.append("2", OrderPlaced{"bob", 0, {}});
  out.append("1", OrderPlaced{"\u00e9va \"quoted\"\n", -5, {{"", -1}}});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
