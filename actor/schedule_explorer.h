// Runs a few threads' worth of code through all its sequentially consistent schedules with few preemptions, which is
// where most faults of lock-free code show (Musuvathi and Qadeer, Iterative Context Bounding, PLDI 2007).
//
// The threads are fibers of one thread. They may lose the processor only before an operation on a ModelAtomic or before
// a ModelMutex is locked, while they wait for one, and when they end. What a schedule does must depend on nothing but
// the schedule. Orders weaker than sequential consistency are not seen here: ThreadSanitizer and the stress tests look
// for those.
#ifndef TROUPE_ACTOR_SCHEDULE_EXPLORER_H_
#define TROUPE_ACTOR_SCHEDULE_EXPLORER_H_

#include <ucontext.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "glog/logging.h"

namespace troupe::testing {

class ScheduleExplorer {
 public:
  using Threads = std::vector<std::function<void()>>;

  // `scenario` sets everything up anew and gives the threads; `check` looks at the end of each schedule, and says
  // whether to go on. Gives how many schedules there were.
  uint64_t Run(int most_preemptions, const std::function<Threads()>& scenario, const std::function<bool()>& check) {
    path_.clear();
    for (uint64_t schedules = 1;; ++schedules) {
      preemptions_left_ = most_preemptions;
      depth_ = 0;
      RunOnce(scenario());
      if (!check()) return schedules;
      while (!path_.empty() && path_.back().chosen + 1 == path_.back().options) path_.pop_back();
      if (path_.empty()) return schedules;
      ++path_.back().chosen;
    }
  }

  // Before each operation on a ModelAtomic. Outside of Run nothing happens.
  static void Step() {
    if (active_ != nullptr) active_->MayPreempt();
  }
  // Lets others run until the flag, which one of them will clear, is false.
  static void WaitWhile(const bool& flag) {
    if (flag) active_->SwitchFrom(flag);
  }

 private:
  static constexpr size_t kStackBytes = 64 << 10;
  struct Choice {
    size_t chosen;
    size_t options;
  };
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack = std::make_unique<char[]>(kStackBytes);
    std::function<void()> body;
    bool done = false;
    const bool* waits_while = nullptr;
  };

  void RunOnce(Threads threads) {
    while (fibers_.size() < threads.size()) fibers_.push_back(std::make_unique<Fiber>());
    running_ = threads.size();
    for (size_t i = 0; i < threads.size(); ++i) {
      Fiber& fiber = *fibers_[i];
      fiber.body = std::move(threads[i]);
      fiber.done = false;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStackBytes;
      fiber.context.uc_link = &main_;
      makecontext(&fiber.context, &ScheduleExplorer::FiberMain, 0);
    }
    active_ = this;
    // Whoever ends comes back here.
    for (std::vector<size_t> runnable = Runnable(); !runnable.empty(); runnable = Runnable()) {
      current_ = runnable[Choose(runnable.size())];
      swapcontext(&main_, &fibers_[current_]->context);
    }
    active_ = nullptr;
    for (size_t i = 0; i < running_; ++i) CHECK(fibers_[i]->done) << "all wait for each other";
  }

  static void FiberMain() {
    Fiber& fiber = *active_->fibers_[active_->current_];
    fiber.body();
    fiber.done = true;
  }

  std::vector<size_t> Runnable() const {
    std::vector<size_t> runnable;
    for (size_t i = 0; i < running_; ++i) {
      const Fiber& fiber = *fibers_[i];
      if (!fiber.done && (fiber.waits_while == nullptr || !*fiber.waits_while)) runnable.push_back(i);
    }
    return runnable;
  }

  void MayPreempt() {
    if (preemptions_left_ == 0) return;
    std::vector<size_t> others = Runnable();
    std::erase(others, current_);
    const size_t choice = Choose(others.size() + 1);
    if (choice == 0) return;
    --preemptions_left_;
    const size_t from = std::exchange(current_, others[choice - 1]);
    swapcontext(&fibers_[from]->context, &fibers_[current_]->context);
  }

  // Takes no preemption: it cannot go on.
  void SwitchFrom(const bool& flag) {
    Fiber& fiber = *fibers_[current_];
    fiber.waits_while = &flag;
    const std::vector<size_t> others = Runnable();
    CHECK(!others.empty()) << "all wait for each other";
    current_ = others[Choose(others.size())];
    swapcontext(&fiber.context, &fibers_[current_]->context);
    fiber.waits_while = nullptr;
  }

  // Goes along the path so far, then takes the first option.
  size_t Choose(size_t options) {
    if (options == 1) return 0;
    if (depth_ == path_.size()) path_.push_back(Choice{0, options});
    return path_[depth_++].chosen;
  }

  static inline ScheduleExplorer* active_ = nullptr;

  ucontext_t main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  size_t running_ = 0;
  size_t current_ = 0;
  int preemptions_left_ = 0;
  std::vector<Choice> path_;
  size_t depth_ = 0;
};

// Stands in for std::atomic.
template <typename T>
class ModelAtomic {
 public:
  ModelAtomic() = default;
  explicit ModelAtomic(T value) : value_(value) {}

  T load(std::memory_order) const {
    ScheduleExplorer::Step();
    return value_;
  }
  void store(T value, std::memory_order) {
    ScheduleExplorer::Step();
    value_ = value;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order, std::memory_order) {
    ScheduleExplorer::Step();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    return true;
  }
  // Never fails without a reason, so that loops end.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) {
    return compare_exchange_strong(expected, desired, success, failure);
  }

 private:
  T value_{};
};

// Stands in for std::mutex.
class ModelMutex {
 public:
  void lock() {
    ScheduleExplorer::Step();
    ScheduleExplorer::WaitWhile(locked_);
    locked_ = true;
  }
  void unlock() { locked_ = false; }

 private:
  bool locked_ = false;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_SCHEDULE_EXPLORER_H_
