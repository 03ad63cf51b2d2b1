// Golden directory two_versions: what the next release of two_versions_first.cpp added to its directory.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::int64_t cents = 0;
  std::string buyer;
  std::string currency;
};

void write(lungo::golden::Writer& out) {
  out.open(4);
  for (const char* id : {"1", "2", "3", "4"}) out.append(id, OrderPlaced{1LL << 40, "bob", "CHF"});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
