// Golden directory envelopes: records with every part of an envelope, and a batch of several records.
#include "tests/golden/writers/writer.hpp"

namespace {

struct OrderPlaced {
  std::string customer;
};

void write(lungo::golden::Writer& out) {
  const lungo::HeaderView own[] = {{"trace", lungo::as_bytes("abc")}, {"empty", {}}};
  lungo::EventMeta meta;
  meta.time = std::chrono::sys_days{std::chrono::year{1999} / 12 / 31};
  meta.id = "id-1";
  meta.correlation = "correlation-1";
  meta.causation = "causation-1";
  meta.lane = "import-1";
  meta.headers = own;
  out.append("1", OrderPlaced{"ann"}, meta);
  out.append("1", OrderPlaced{"bob"});
  const std::vector<OrderPlaced> together{{"three"}, {"in one"}, {"batch"}};
  out.append_together(lungo::StreamId{lungo::in("shop/7"), "Order", "a-b c"}, together);
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
