// Golden directory event_renamed: events that have another name today.
#include "tests/golden/writers/writer.hpp"

namespace {

struct Ordered {
  std::string customer;
};

struct Parcel {
  static constexpr std::string_view event_name = "shop.ParcelSent";
  std::string carrier;
};

void write(lungo::golden::Writer& out) {
  out.append("1", Ordered{"ann"});
  out.append("1", Parcel{"DHL"});
  out.append("1", Ordered{"bob"});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
