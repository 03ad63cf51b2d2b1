// Golden directory field_renamed: an event two of whose fields have another name today, one of them inside another struct.
#include "tests/golden/writers/writer.hpp"

namespace {

struct Address {
  std::string town;
};

struct OrderPlaced {
  std::string buyer;
  Address to;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann", {"Berlin"}});
  out.append("1", OrderPlaced{"bob", {"Hamburg"}});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
