// Golden directory field_removed: an event with fields of every kind that today's struct has no longer.
#include "tests/golden/writers/writer.hpp"

namespace {

enum class Channel : std::uint8_t { web = 1, shop = 2 };

struct Address {
  std::string street;
  std::optional<std::string> zip;
};

struct OrderPlaced {
  bool gift = false;
  std::string customer;
  std::string fax;
  Channel channel = Channel::web;
  float rating = 0;
  double weight = 0;
  std::optional<Address> invoice;
  std::variant<std::monostate, std::int32_t, Address> discount;
  std::vector<Address> visited;
  std::array<std::uint16_t, 3> code{};
  std::set<std::string> tags;
  std::map<std::string, std::int64_t> points;
  std::vector<std::byte> signature;
  std::chrono::milliseconds took{};
  std::chrono::sys_time<std::chrono::seconds> at{};
  std::int64_t cents = 0;
};

void write(lungo::golden::Writer& out) {
  using std::chrono::milliseconds;
  OrderPlaced full{
      true, "ann", "555-1", Channel::shop, 0.5F, 1.25, Address{"Main St 1", "10115"}, Address{"Side St 2", {}}, {}, {}, {}, {},
      {},   {},    {},      1999};
  full.visited = {{"Old St 3", {}}, {"New St 4", "20095"}};
  full.code = {1, 300, 65535};
  full.tags = {"b", "a"};
  full.points = {{"ann", 7}, {"bob", -7}};
  full.signature = {std::byte{0}, std::byte{0xff}};
  full.took = milliseconds{1500};
  full.at = std::chrono::sys_days{std::chrono::year{2024} / 2 / 29};
  out.append("1", full);
  OrderPlaced empty;
  empty.customer = "bob";
  empty.cents = 5;
  out.append("1", empty);
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
