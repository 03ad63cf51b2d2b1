// Golden directory type_changed: an event one of whose fields is a number here and text today.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::string customer;
  std::int64_t total = 0;
};

struct OrderShipped {
  std::string carrier;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann", 1999});
  out.append("1", OrderShipped{"DHL"});
  out.append("2", OrderPlaced{"bob", 5});
  out.append("2", OrderShipped{"UPS"});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
