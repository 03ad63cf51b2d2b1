// Golden directory newer_format: whose lungo.meta has a version that is not out yet.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::string customer;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann"});
  out.save();
  out.replace_file("lungo.meta", "lungo-meta 2\na line of a grammar that is not out yet\n");
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
