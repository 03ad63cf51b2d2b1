// Several exporters on one target, a call of one of them at a time, in an order that a seed gives; some are killed in the
// middle of it. Threads: one for each exporter, of which one runs.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "memory_target.hpp"
#include "tests/support/random.hpp"

namespace lungo::exporting {

struct Killed {};

/// Who runs next, after each call.
class Turns {
 public:
  explicit Turns(test::Random& random) : random_(random) {}

  /// Runs each until it returns or is killed.
  void run(const std::vector<std::function<void()>>& exporters) {
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < exporters.size(); ++i) alive_.insert(i);
      pick();
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < exporters.size(); ++i) {
      threads.emplace_back([&, i] {
        me() = i;
        wait();
        try {
          exporters[i]();
        } catch (const Killed&) {
        }
        const std::lock_guard lock(mutex_);
        alive_.erase(i);
        pick();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  /// Another one may go on.
  void pass() {
    {
      const std::lock_guard lock(mutex_);
      pick();
    }
    wait();
  }

 private:
  static std::size_t& me() {
    thread_local std::size_t number = 0;
    return number;
  }
  void pick() {
    if (alive_.empty()) return;
    if (!alive_.contains(running_) || random_.one_in(3)) {
      running_ = *std::next(alive_.begin(), static_cast<std::ptrdiff_t>(random_.below(alive_.size())));
    }
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return running_ == me(); });
  }

  test::Random& random_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::size_t> alive_;
  std::size_t running_ = 0;
};

class SteppedTarget final : public ExportTarget {
 public:
  /// One of `kill_in` calls is the exporter's last, done or not; 0: none.
  SteppedTarget(MemoryTarget& target, Turns& turns, test::Random& random, std::uint64_t kill_in)
      : target_(target), turns_(turns), random_(random), kill_in_(kill_in) {}

  [[nodiscard]] std::string name() const override { return target_.name(); }
  Result<std::vector<TargetEntry>> list(const std::string& folder) override {
    return step([&] { return target_.list(folder); });
  }
  Result<void> make_folder(const std::string& folder) override {
    return step([&] { return target_.make_folder(folder); });
  }
  Result<std::unique_ptr<TargetFile>> create(const std::string& path) override {
    Result<std::unique_ptr<TargetFile>> made = step([&] { return target_.create(path); });
    if (!made) return made;
    return std::make_unique<Open>(*this, std::move(*made));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return step([&] { return target_.rename(from, to); });
  }
  Result<void> remove(const std::string& path) override {
    return step([&] { return target_.remove(path); });
  }
  Result<std::string> read(const std::string& path, std::size_t bytes_max) override {
    return step([&] { return target_.read(path, bytes_max); });
  }
  Result<std::unique_ptr<TargetHold>> hold(const std::string& holder) override {
    return step([&] { return target_.hold(holder); });
  }

 private:
  /// A line at a time, as a kill may come between.
  class Open final : public TargetFile {
   public:
    Open(SteppedTarget& owner, std::unique_ptr<TargetFile> file) : owner_(owner), file_(std::move(file)) {}
    Result<void> write(BytesView bytes) override {
      for (std::string_view left = as_text(bytes); !left.empty();) {
        const std::string_view line = left.substr(0, left.find('\n') + 1);
        const Result<void> written = owner_.step([&] { return file_->write(as_bytes(line)); });
        if (!written) return written;
        left.remove_prefix(line.size());
      }
      return {};
    }
    Result<void> close() override {
      return owner_.step([&] { return file_->close(); });
    }

   private:
    SteppedTarget& owner_;
    const std::unique_ptr<TargetFile> file_;
  };

  template <class Call>
  std::invoke_result_t<Call> step(Call call) {
    const bool is_last = kill_in_ > 0 && random_.one_in(kill_in_);
    if (is_last && random_.one_in(2)) throw Killed{};
    auto result = call();
    if (is_last) throw Killed{};
    turns_.pass();
    return result;
  }

  MemoryTarget& target_;
  Turns& turns_;
  test::Random& random_;
  const std::uint64_t kill_in_;
};

}  // namespace lungo::exporting
