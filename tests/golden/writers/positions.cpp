// Golden directory positions: a reader that stopped after the second event, and an event that it has parked.
#include "tests/golden/writers/writer.hpp"

#include <lungo/framework/errors.hpp>
#include <lungo/framework/subscription.hpp>

namespace {

struct OrderPlaced {
  std::string customer;
};

void write(lungo::golden::Writer& out) {
  out.append("1", OrderPlaced{"ann"});
  out.append("1", OrderPlaced{"refused"});
  lungo::SubscriptionOptions options;
  options.topics = {std::string(lungo::golden::kTopic)};
  options.errors.retry.attempts = 1;
  lungo::Subscription mails{out.store(), "mails", options};
  mails.on<OrderPlaced>([](const lungo::Envelope&, const OrderPlaced& event) {
    if (event.customer == "refused") throw std::runtime_error("no such customer");
  });
  mails.start().value();
  mails.catch_up(std::chrono::minutes{1}).value();
  mails.stop().value();
  out.append("1", OrderPlaced{"eve"});
}

}  // namespace

int main(int argc, char** argv) { return lungo::golden::write_directory(argc, argv, &write); }
