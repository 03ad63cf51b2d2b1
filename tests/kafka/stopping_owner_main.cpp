// A process that appends without pause, and closes its log when it is told to, whatever it waits for:
// stopping_owner HOSTS APP TOPIC DIRECTORY
// A line for each number that was answered, KEY NUMBER, as of a counting owner. A line on standard input ends it; the last
// lines are
//   CODE COUNT                 how many of those that were pending were answered so
//   unanswered COUNT
//   ended MILLISECONDS         what the end of the log took
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include <lungo/cluster/kafka.hpp>

#include "tests/support/records.hpp"

namespace {

using namespace lungo;

constexpr int kStreams = 10;
constexpr std::size_t kPendingMax = 40;

/// What is told by completions, on any thread.
class Answers {
 public:
  void begin() {
    const std::lock_guard lock(mutex_);
    ++pending_;
  }
  void end(const std::string& line, const Result<Appended>& outcome) {
    const std::lock_guard lock(mutex_);
    --pending_;
    if (outcome) {
      std::cout << line << std::endl;
    } else {
      ++failed_[std::string(to_string(outcome.error().code()))];
      std::cerr << line << ": " << to_string(outcome.error()) << std::endl;
    }
  }
  bool is_full() {
    const std::lock_guard lock(mutex_);
    return pending_ >= kPendingMax;
  }
  void print(std::chrono::milliseconds took) {
    const std::lock_guard lock(mutex_);
    for (const auto& [code, count] : failed_) std::cout << code << ' ' << count << '\n';
    std::cout << "unanswered " << pending_ << "\nended " << took.count() << std::endl;
  }

 private:
  std::mutex mutex_;
  std::size_t pending_ = 0;
  std::map<std::string, int> failed_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  KafkaOptions options;
  options.directory = argv[4];
  std::shared_ptr<EventLog> log = connect_kafka(argv[1], argv[2], options).value();
  TopicSpec spec;
  spec.name = argv[3];
  spec.partitions = 4;
  spec.streams = true;
  log->create_topic(spec).value();
  Answers answers;  // outlives the log
  std::atomic<bool> is_told_to_stop = false;
  std::thread input([&is_told_to_stop] {
    std::string line;
    std::getline(std::cin, line);
    is_told_to_stop = true;
  });
  for (int number = 1; !is_told_to_stop;) {
    if (answers.is_full()) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
      continue;
    }
    for (int stream = 0; stream < kStreams; ++stream) {
      const std::string key = "k" + std::to_string(stream);
      const TopicPartition to{spec.name, partition_of_key(key, spec.partitions)};
      answers.begin();
      log->append(test::append_of(to, key, std::to_string(number), key + "-" + std::to_string(number)),
                  [&answers, line = key + " " + std::to_string(number)](const Result<Appended>& outcome) {
                    answers.end(line, outcome);
                  });
    }
    ++number;
  }
  input.join();
  const auto begin = std::chrono::steady_clock::now();
  log.reset();
  answers.print(std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin));
  return 0;
}
