#include "tests/support/sim_executor.hpp"

#include <algorithm>
#include <stdexcept>

namespace lungo::test {

struct SimExecutor::Entry {
  Activity* activity = nullptr;
  Instant next{};        // when it wants its next step; the first at once
  bool running = false;  // a step is in progress: it may itself wait, and is not stepped inside itself
  bool broken = false;   // it threw
};

class SimExecutor::Handle : public RunningActivity {
 public:
  Handle(SimExecutor& executor, std::shared_ptr<Entry> entry) : executor_(executor), entry_(std::move(entry)) {}
  ~Handle() override { std::erase(executor_.entries_, entry_); }
  void wake() override { entry_->next = Instant{}; }

 private:
  SimExecutor& executor_;
  const std::shared_ptr<Entry> entry_;
};

std::unique_ptr<RunningActivity> SimExecutor::start(Activity& activity) {
  const auto entry = std::make_shared<Entry>();
  entry->activity = &activity;
  auto handle = std::make_unique<Handle>(*this, entry);  // first: it takes the entry away again
  entries_.push_back(entry);
  return handle;
}

void SimExecutor::step(const std::shared_ptr<Entry>& entry) {
  clock_.advance(std::chrono::microseconds{1});
  const Instant now = clock_.monotonic();
  for (const char c : entry->activity->name()) history_ = (history_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  history_ = (history_ ^ static_cast<std::uint64_t>(now.time_since_epoch().count())) * 0x100000001b3u;

  entry->next = Instant::max();  // a wake() during the step overrides what the step returns
  entry->running = true;
  try {
    const Instant wanted = entry->activity->step(now);
    entry->next = std::min(entry->next, wanted);
  } catch (const std::exception&) {
    entry->broken = true;
  }
  entry->running = false;
}

bool SimExecutor::step_one() {
  std::vector<std::shared_ptr<Entry>> due;
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (!entry->running && !entry->broken && entry->next <= clock_.monotonic()) due.push_back(entry);
  }
  if (due.empty()) return false;
  step(due[random_.below(due.size())]);
  return true;
}

Instant SimExecutor::next_due() const {
  Instant next = Instant::max();
  for (const std::shared_ptr<Entry>& entry : entries_) {
    if (!entry->running && !entry->broken) next = std::min(next, entry->next);
  }
  return next;
}

bool SimExecutor::wait_until(const std::function<bool()>& predicate, Instant deadline) {
  while (!predicate()) {
    if (clock_.monotonic() >= deadline) return false;
    step_or_jump(deadline);
  }
  return true;
}

void SimExecutor::step_or_jump(Instant deadline) {
  if (step_one()) return;
  const Instant next = std::min(next_due(), deadline);
  if (next == Instant::max()) throw std::logic_error("the simulation is stuck: a wait without deadline, and nothing is due");
  clock_.advance_to(next);
}

class SimExecutor::SteppingParker : public Parker {
 public:
  explicit SteppingParker(SimExecutor& executor) : executor_(executor) {}
  void park() override { executor_.step_or_jump(Instant::max()); }
  void unpark() override {}

 private:
  SimExecutor& executor_;
};

std::shared_ptr<Parker> SimExecutor::parker() { return std::make_shared<SteppingParker>(*this); }

void SimExecutor::run_for(Duration span) {
  wait_until([] { return false; }, clock_.monotonic() + span);
}

void SimExecutor::run_due() {
  while (step_one()) {
  }
}

}  // namespace lungo::test
