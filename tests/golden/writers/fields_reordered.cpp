// Golden directory fields_reordered: an event whose fields, and those of a struct inside it, stood in another order.
#include "tests/golden/writers/writer.hpp"

namespace {

struct Address {
  std::string city;
  std::string street;
};

struct OrderPlaced {
  std::int64_t cents = 0;
  Address to;
  std::int64_t points = 0;
  std::string customer;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{1999, {"Berlin", "Main St 1"}, 7, "ann"});
  out.append("1", OrderPlaced{-1, {"", ""}, 0, "bob"});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
