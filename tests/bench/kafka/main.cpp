// lungo-bench-kafka: commands against an application that runs on Apache Kafka, and the same brokers' raw transactions.
//
// usage: lungo-bench-kafka HOSTS DIRECTORY [SECONDS [ROUNDS]]
//
//   commands   execute_async, 4,096 outstanding over 1,000 aggregates in 8 partitions, each decided on its stream's state
//   raw        librdkafka's producer: transactions of 4,096 records of as many bytes and headers, with a counter for each of
//   the
//              8 partitions, one after the other, and nothing else
//
// The two take turns. Prints a line for each: {"case": ..., "events_per_second": [a figure for each round]}.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <lungo/cluster/kafka.hpp>
#include <lungo/framework/aggregates.hpp>
#include <lungo/log/log_text.hpp>
#include <lungo/log/membership.hpp>
#include <lungo/log/text.hpp>

#include "client/rdk_admin.hpp"
#include "client/rdk_group.hpp"
#include "client/rdk_producer.hpp"

namespace lungo::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPartitions = 8;
constexpr int kAggregates = 1'000;
constexpr int kOutstanding = 4'096;

struct Clicked {
  std::string url;
  std::int64_t number = 0;
  std::string visitor;
};
struct Click {
  std::string url;
};
struct Page {
  static inline std::string topic;  // of this run
  using Events = lungo::events<Clicked>;
  struct State {
    std::int64_t clicks = 0;
  };
  static void evolve(State& state, const Clicked& event) { state.clicks = event.number; }
  static Clicked decide(const State& state, const Click& click) {
    return {click.url, state.clicks + 1, "visitor-0123456789abcdef"};
  }
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// How many may be on their way at once.
class Window {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    if (inside_ == kOutstanding) left_.wait(lock, [this] { return inside_ < kOutstanding - kOutstanding / 8; });
    ++inside_;
  }
  void leave(bool is_good) {
    const std::lock_guard lock(mutex_);
    --inside_;
    ++(is_good ? good_ : bad_);
    if (inside_ < kOutstanding - kOutstanding / 8 || inside_ == 0) left_.notify_one();
  }
  void wait_for_all() {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return inside_ == 0; });
  }
  [[nodiscard]] std::int64_t good() {
    const std::lock_guard lock(mutex_);
    return good_;
  }
  [[nodiscard]] std::int64_t bad() {
    const std::lock_guard lock(mutex_);
    return bad_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  int inside_ = 0;
  std::int64_t good_ = 0;
  std::int64_t bad_ = 0;
};

/// Events a second, of those that were answered in the second half.
double commands(Aggregates<Page>& pages, double seconds) {
  Window window;
  std::mt19937_64 random{7};
  const auto run_for = [&](double part) {
    const auto begin = Clock::now();
    while (seconds_since(begin) < part) {
      window.enter();
      const std::string name = "page-" + std::to_string(random() % kAggregates);
      pages.execute_async(Scope{}, name, Click{"/shop/item/4711?ref=17"}, {}, [&window](const Result<Commit>& done) {
        if (!done) std::cerr << to_string(done.error()) + "\n";
        window.leave(done.has_value());
      });
    }
  };
  run_for(seconds / 2);
  const std::int64_t before = window.good();
  const auto begin = Clock::now();
  run_for(seconds / 2);
  const double rate = static_cast<double>(window.good() - before) / seconds_since(begin);
  window.wait_for_all();
  if (window.bad() > 0) throw std::runtime_error(std::to_string(window.bad()) + " commands failed");
  return rate;
}

struct Listener : RdkGroupListener {
  void assigned(const std::vector<TopicPartition>& all, const RdkGroupMetadata& now) override {
    partitions = all;
    metadata = now;
  }
  void revoked(const std::vector<TopicPartition>&) override {}
  void lost(const std::vector<TopicPartition>&) override {}
  std::vector<TopicPartition> partitions;
  RdkGroupMetadata metadata;
};

/// What a producer alone does with these brokers.
class Raw {
 public:
  Raw(const std::string& hosts, const std::string& name) {
    options_.hosts = hosts;
    causes_ = std::make_shared<BrokerCauses>(options_, ports_.ports().clock);
    admin_ = RdkAdmin::open(options_, causes_).value();
    admin_->create_topic({.name = name, .partitions = kPartitions, .replication = 3, .settings = {}}, kTimeout).value();
    group_ = RdkGroup::open(options_, name, listener_, causes_).value();
    group_->subscribe({name}).value();
    while (listener_.partitions.size() != kPartitions) static_cast<void>(group_->poll(std::chrono::milliseconds{50}));
    producer_ = RdkProducer::open(options_, name, causes_).value();
    while (!producer_->init(kTimeout).ok()) continue;
  }

  double run(double seconds) {
    transactions(seconds / 2);
    const auto begin = Clock::now();
    const int done = transactions(seconds / 2);
    return done * kOutstanding / seconds_since(begin);
  }

 private:
  static constexpr Duration kTimeout = std::chrono::seconds{30};

  int transactions(double seconds) {
    const std::string value(70, 'v');
    const std::string type = "Clicked";
    const std::string id(24, 'i');
    const std::vector<HeaderView> headers{{.name = "l.t", .value = as_bytes(type)},
                                          {.name = "l.s", .value = as_bytes(id)},
                                          {.name = "l.id", .value = as_bytes(id)}};
    int count = 0;
    const auto begin = Clock::now();
    for (; seconds_since(begin) < seconds; ++count) {
      static_cast<void>(group_->poll(Duration{0}));
      good(producer_->begin());
      for (int i = 0; i < kOutstanding; ++i) {
        const std::string key = "page-" + std::to_string(i % kAggregates);
        const TopicPartition to{listener_.partitions.front().topic, partition_of_key(key, kPartitions)};
        const RecordFields record{.timestamp = Timestamp{std::chrono::seconds{1}},
                                  .key = as_bytes(key),
                                  .value = as_bytes(value),
                                  .headers = headers};
        while (!producer_->produce(to, record, 1)) static_cast<void>(producer_->poll(std::chrono::milliseconds{1}));
      }
      producer_->wait_for_acks(kTimeout);
      static_cast<void>(producer_->poll(Duration{0}));
      std::vector<RdkOffset> offsets;
      for (const TopicPartition& partition : listener_.partitions) {
        offsets.push_back({.partition = partition, .offset = Offset{count}, .metadata = std::string(90, 'n')});
      }
      good(producer_->send_offsets(offsets, listener_.metadata));
      good(producer_->commit());
    }
    return count;
  }
  static void good(const RdkOutcome& outcome) {
    if (!outcome.ok()) throw Exception(outcome.error);
  }

  PosixPorts ports_;
  RdkOptions options_;
  std::shared_ptr<BrokerCauses> causes_;
  std::unique_ptr<RdkAdmin> admin_;
  Listener listener_;
  std::unique_ptr<RdkGroup> group_;
  std::unique_ptr<RdkProducer> producer_;
};

void print(const std::string& name, const std::vector<double>& rates) {
  std::cout << "{\"case\": \"" << name << "\", \"events_per_second\": [";
  for (std::size_t i = 0; i < rates.size(); ++i) std::cout << (i == 0 ? "" : ", ") << static_cast<std::int64_t>(rates[i]);
  std::cout << "]}\n";
}

int run(const std::string& hosts, const std::string& directory, double seconds, int rounds) {
  log_to_stderr(Severity::warn);
  PosixPorts ports;
  std::array<std::byte, 4> bits{};
  ports.ports().random.fill(bits);
  const std::string run = to_hex(bits);
  Raw raw(hosts, "bench-raw-" + run);
  KafkaOptions options;
  options.directory = directory;
  const std::shared_ptr<EventLog> log = connect_kafka(hosts, "bench-" + run, options).value();
  TopicSpec spec;
  spec.name = "bench-" + run;
  spec.partitions = kPartitions;
  spec.streams = true;
  log->create_topic(spec).value();
  AggregatesOptions pages_options;
  Page::topic = spec.name;
  pages_options.partitions = kPartitions;
  Aggregates<Page> pages{EventStore{log}, pages_options};
  std::vector<double> ours;
  std::vector<double> raws;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(commands(pages, seconds));
    raws.push_back(raw.run(seconds));
  }
  print("kafka.commands", ours);
  print("kafka.raw", raws);
  for (const Metric& metric : log->metrics()) {
    if (metric.name.starts_with("lungo_kafka")) std::cerr << metric.name << ' ' << metric.value << '\n';
  }
  return 0;
}

}  // namespace
}  // namespace lungo::bench

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: lungo-bench-kafka HOSTS DIRECTORY [SECONDS [ROUNDS]]\n";
    return 2;
  }
  try {
    return lungo::bench::run(argv[1], argv[2], argc > 3 ? std::stod(argv[3]) : 10, argc > 4 ? std::stoi(argv[4]) : 3);
  } catch (const std::exception& failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
