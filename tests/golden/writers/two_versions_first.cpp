// Golden directory two_versions: what its first program wrote; two_versions_second.cpp goes on.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::string customer;
  std::int32_t cents = 0;
};

void write(lungo::golden::Writer& out) {
  out.open(4);
  for (const char* id : {"1", "2", "3", "4"}) out.append(id, OrderPlaced{"ann", 100});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
