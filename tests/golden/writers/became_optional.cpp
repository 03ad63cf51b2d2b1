// Golden directory became_optional: a field that may be absent today.
#include "tests/golden/writers/writer.hpp"

namespace {

struct Address {
  std::string city;
};

struct OrderPlaced {
  std::string customer;
  Address to;
  std::int32_t floor = 0;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann", {"Berlin"}, 4});
  out.append("1", OrderPlaced{"bob", {""}, 0});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
