// Golden directory after_a_crash: as a crash left it, without a clean stop and with the last batch torn.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::string customer;
};

void write(lungo::golden::Writer& out) {
  for (const char* customer : {"ann", "bob", "eve"}) out.append("1", OrderPlaced{customer});
  out.save_as_after_a_crash();
  out.append("1", OrderPlaced{"torn"});
  out.save_torn_segment(7);
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
