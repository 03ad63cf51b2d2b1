// The road between processes and brokers, and time: requests and answers that arrive in any order, late, or not at all.
//
// A line is one process's end of it. While a process is paused (SIGSTOP) nothing of it runs, and what it has sent before
// arrives; when it is dead, likewise. Nothing here knows what a request does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <lungo/log/types.hpp>

#include "tests/support/random.hpp"

namespace lungo::test {

struct ModelLine {
  bool is_dead = false;
  Instant paused_until{};
  Instant cut_until{};  // nothing gets through, in either direction
};

class ModelNetwork {
 public:
  using Work = std::function<void()>;

  explicit ModelNetwork(std::uint64_t seed)
      : random(seed), loses_one_in_(random.one_in(2) ? 25 : 200), slows_one_in_(random.one_in(2) ? 20 : 200) {}

  /// `request` runs at the broker, then `answer` at the process, with nothing where one of the two was lost on the road. A
  /// request that is still on the road when `*is_wanted` is false does not arrive.
  template <class Answer>
  void send(const std::shared_ptr<ModelLine>& line, std::shared_ptr<const bool> is_wanted, std::function<Answer()> request,
            std::function<void(std::optional<Answer>)> answer) {
    auto result = std::make_shared<std::optional<Answer>>();
    messages_.push_back({.line = line,
                         .is_wanted = std::move(is_wanted),
                         .request = [request = std::move(request), result] { *result = request(); },
                         .answer = [answer = std::move(answer), result] { answer(std::move(*result)); },
                         .lost = [result] { result->reset(); },
                         .due = some_time()});
  }
  /// It arrives a second time, as a copy on another connection would.
  void send_copy(const std::shared_ptr<ModelLine>& line, Work request) {
    messages_.push_back(
        {.line = line, .is_wanted = {}, .request = std::move(request), .answer = [] {}, .lost = [] {}, .due = some_time()});
  }
  /// At the process, unless it is dead by then.
  void later(const std::shared_ptr<ModelLine>& line, Duration after, Work work) {
    timers_.emplace(now + after, std::pair{line, std::move(work)});
  }

  [[nodiscard]] bool runs(const ModelLine& line) const { return !line.is_dead && now >= line.paused_until; }

  /// Moves one message, if there is one that moves.
  bool step() {
    if (messages_.empty()) return false;
    const std::size_t index = random.below(messages_.size());
    if (messages_[index].due > now) return false;
    Message message = std::move(messages_[index]);
    messages_[index] = std::move(messages_.back());
    messages_.pop_back();
    if (message.is_request) {
      deliver(std::move(message));
      return true;
    }
    if (message.line->is_dead) return true;
    if (!runs(*message.line)) {
      messages_.push_back(std::move(message));
      return false;
    }
    message.answer();
    return true;
  }

  void run_timers() {
    while (!timers_.empty() && timers_.begin()->first <= now) {
      auto [line, work] = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      if (line->is_dead) continue;
      if (runs(*line)) {
        work();
      } else {
        timers_.emplace(now + std::chrono::milliseconds{10}, std::pair{line, std::move(work)});  // it may be continued sooner
      }
    }
  }
  [[nodiscard]] Instant next_timer() const { return timers_.empty() ? Instant::max() : timers_.begin()->first; }

  Random random;
  Instant now{};
  bool loses = true;  // a message now and then, of lines that are not cut, too

 private:
  struct Message {
    std::shared_ptr<ModelLine> line;
    std::shared_ptr<const bool> is_wanted;  // null: always
    Work request;
    Work answer;
    Work lost;  // forgets what the broker has said
    Instant due;
    bool is_request = true;
  };

  /// Some brokers are slow.
  Instant some_time() {
    return loses && random.one_in(slows_one_in_) ? now + std::chrono::milliseconds{random.below(1500)} : now;
  }

  void deliver(Message message) {
    const auto is_lost = [&] { return now < message.line->cut_until || (loses && random.one_in(loses_one_in_)); };
    const bool is_dropped = (message.is_wanted && !*message.is_wanted) || is_lost();
    if (!is_dropped) message.request();
    message.is_request = false;
    message.due = some_time();
    if (is_lost()) message.lost();
    messages_.push_back(std::move(message));
  }

  const std::uint64_t loses_one_in_;
  const std::uint64_t slows_one_in_;
  std::vector<Message> messages_;
  std::multimap<Instant, std::pair<std::shared_ptr<ModelLine>, Work>> timers_;
};

}  // namespace lungo::test
