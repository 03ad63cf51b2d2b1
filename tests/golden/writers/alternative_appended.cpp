// Golden directory alternative_appended: a variant with fewer alternatives than today, and an enumeration with a smaller type.
#include "tests/golden/writers/writer.hpp"

namespace {

enum class Channel : std::uint8_t { web = 1, shop = 255 };

struct Cash {
  std::int64_t cents = 0;
};
struct Card {
  std::string number;
};

struct OrderPaid {
  std::variant<Cash, Card> by;
  Channel channel = Channel::web;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPaid{Cash{1999}, Channel::web});
  out.append("1", OrderPaid{Card{"4111"}, Channel::shop});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
