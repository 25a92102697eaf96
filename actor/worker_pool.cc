#include "actor/worker_pool.h"

#include <glog/logging.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

#include "actor/future.h"

namespace troupe {
namespace {

// False: it timed out. A null timeout waits for ever. May return early.
bool FutexWait(std::atomic<uint32_t>& word, uint32_t expected, const timespec* timeout) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, timeout, nullptr, 0) == 0 || errno != ETIMEDOUT;
}
void FutexWake(std::atomic<uint32_t>& word) { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void Pause() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#endif
}

}  // namespace

thread_local constinit WorkerPool::Worker* WorkerPool::current_ = nullptr;

WorkerPool::WorkerPool(int workers, int messages_per_turn, std::string_view name)
    : messages_per_turn_(messages_per_turn) {
  for (int i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(*this));
    workers_.back()->marks.resize(static_cast<size_t>(workers));
  }
  marks_.resize(workers_.size());
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->thread = std::thread([this, i, name = std::string(name.substr(0, 15))] {
      pthread_setname_np(pthread_self(), name.c_str());
      // Not in a hook at the end of a turn either.
      internal::ForbidWaiting();
      ShowTurnMark(i, &internal::turn_mark);
      Run(*workers_[i]);
      ShowTurnMark(i, nullptr);
    });
  }
}

WorkerPool::~WorkerPool() { Stop(); }

void WorkerPool::ScheduleCommon(Runnable& runnable) {
  {
    std::lock_guard lock(common_mutex_);
    // After the end nobody takes it, and it need not live any longer.
    if (stopped_) return;
    common_.Push(runnable);
    common_size_.store(common_.size());
  }
  // Whoever searches will look once more before he sleeps.
  if (searching_.load() == 0 && sleeping_.load() > 0) WakeOne();
}

void WorkerPool::AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) {
  CHECK(current_ != nullptr && &current_->pool == this) << "not in a turn of this pool";
  current_->hooks.Add(std::move(hook));
}

void WorkerPool::Run(Worker& self) {
  current_ = &self;
  while (!stopped_.load(std::memory_order_relaxed)) {
    Runnable* runnable = Next(self);
    if (runnable == nullptr) {
      if (self.hooks.pending()) {
        self.hooks.Run();
        continue;
      }
      runnable = Search(self);
    }
    while (runnable == nullptr && Sleep(self)) runnable = StealWhatWaits(self);
    if (runnable == nullptr) continue;
    if (!active_.load()) [[unlikely]] {
      BeginActive();
    }
    runnable->RunTurn(messages_per_turn_);
    if (self.hooks.pending()) [[unlikely]] {
      self.hooks.AfterTurn();
    }
  }
  self.hooks.Run();
}

void WorkerPool::OnActive(std::function<void()> begin) {
  begin_active_ = std::move(begin);
  active_.store(false);
}

void WorkerPool::BeginActive() {
  if (!active_.exchange(true)) begin_active_();
}

bool WorkerPool::EndActive() {
  active_.store(false);
  // Who wakes later than this look sees the store. Who was awake already may not have, and somebody has to begin.
  return asleep() || active_.exchange(true);
}

void WorkerPool::VisitTurnMarks(absl::FunctionRef<void(const std::vector<const internal::TurnMark*>&)> visit) {
  std::lock_guard lock(marks_mutex_);
  visit(marks_);
}

void WorkerPool::ShowTurnMark(size_t worker, const internal::TurnMark* mark) {
  std::lock_guard lock(marks_mutex_);
  marks_[worker] = mark;
}

Runnable* WorkerPool::Next(Worker& self) {
  if (++self.turns % kCommonTurn == 0 && common_size_.load(std::memory_order_relaxed) > 0) {
    if (Runnable* runnable = TakeCommon(self)) return runnable;
  }
  if (Runnable* runnable = self.queue.Pop()) return runnable;
  return TakeCommon(self);
}

// Takes a share along, to save the others' way here.
Runnable* WorkerPool::TakeCommon(Worker& self) {
  if (common_size_.load(std::memory_order_relaxed) == 0) return nullptr;
  Runnable* first = nullptr;
  {
    std::lock_guard lock(common_mutex_);
    if (stopped_ || common_.size() == 0) return nullptr;
    size_t share = std::min(common_.size() / workers_.size(), kMostTakenAtOnce);
    first = &common_.Pop();
    for (; share > 1; --share) {
      Runnable& next = common_.Pop();
      if (self.queue.Push(&next)) continue;
      common_.Push(next);
      break;
    }
    common_size_.store(common_.size());
  }
  if (self.queue.tail() != self.queue.head()) EnsureObserver();
  if (common_size_.load() > 0 && searching_.load() == 0 && sleeping_.load() > 0) WakeOne();
  return first;
}

Runnable* WorkerPool::Search(Worker& self) {
  // The others are enough to find what there is, and each costs a core.
  if (searching_.load() >= std::max<size_t>(1, workers_.size() / 2)) {
    Mark(self);
    return nullptr;
  }
  searching_.fetch_add(1);
  observers_.fetch_add(1);
  Runnable* found = TakeCommon(self);
  // Before anything else: who waits for what was just done may wait for this very core.
  if (found == nullptr) sched_yield();
  const Clock::time_point end = Clock::now() + kSearch;
  Clock::time_point look{};
  for (Clock::time_point now = Clock::now(); found == nullptr && now < end && !stopped_; now = Clock::now()) {
    found = TakeCommon(self);
    if (found == nullptr && now >= look) {
      if (look != Clock::time_point{}) found = StealWhatWaits(self);
      Mark(self);
      look = now + kPatience;
    }
    for (int i = 0; i < 8; ++i) Pause();
    // Who would give us work may wait for this very core.
    if (found == nullptr) sched_yield();
  }
  observers_.fetch_sub(1);
  searching_.fetch_sub(1);
  // Those who saw us search have woken nobody.
  if (found != nullptr) {
    if (self.queue.tail() != self.queue.head()) EnsureObserver();
    if (common_size_.load() > 0 && sleeping_.load() > 0) WakeOne();
  }
  return found;
}

void WorkerPool::Mark(Worker& self) {
  for (size_t i = 0; i < workers_.size(); ++i) self.marks[i] = workers_[i]->queue.tail();
}

Runnable* WorkerPool::StealWhatWaits(Worker& self) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& victim = *workers_[i];
    if (&victim == &self) continue;
    if (static_cast<int32_t>(self.marks[i] - victim.queue.head()) <= 0) continue;
    if (!victim.queue.StealInto(self.queue)) continue;
    Runnable* first = self.queue.Pop();
    if (self.queue.tail() != self.queue.head()) EnsureObserver();
    if (first != nullptr) return first;
  }
  Mark(self);
  return nullptr;
}

bool WorkerPool::Sleep(Worker& self) {
  bool watching = false;
  {
    std::lock_guard lock(sleep_mutex_);
    self.awake.store(0);
    sleepers_.push_back(&self);
    sleeping_.store(sleepers_.size());
    if (watcher_ == nullptr && sleepers_.size() < workers_.size()) {
      watcher_ = &self;
      observers_.fetch_add(1);
      watching = true;
    }
  }
  const timespec period = {0, std::chrono::nanoseconds(kWatchPeriod).count()};
  // Looked at after all can see that this one sleeps: what came before, nobody
  // may have woken us for.
  const bool stay = common_size_.load() == 0 && !stopped_;
  bool in_time = true;
  while (stay && in_time && self.awake.load() == 0) in_time = FutexWait(self.awake, 0, watching ? &period : nullptr);
  if (self.awake.load() != 0) return false;
  std::lock_guard lock(sleep_mutex_);
  if (self.awake.load() != 0) return false;
  RemoveSleeper(self);
  return stay;
}

void WorkerPool::RemoveSleeper(Worker& worker) {
  worker.awake.store(1);
  sleepers_.erase(std::find(sleepers_.begin(), sleepers_.end(), &worker));
  sleeping_.store(sleepers_.size());
  if (watcher_ == &worker) {
    watcher_ = nullptr;
    observers_.fetch_sub(1);
  }
}

void WorkerPool::WakeOne() {
  Worker* woken = nullptr;
  {
    std::lock_guard lock(sleep_mutex_);
    if (sleepers_.empty()) return;
    woken = sleepers_.back();
    RemoveSleeper(*woken);
  }
  FutexWake(woken->awake);
}

void WorkerPool::Stop() {
  {
    std::lock_guard lock(common_mutex_);
    stopped_ = true;
    common_.Clear();
    common_size_.store(0);
  }
  while (sleeping_.load() > 0) WakeOne();
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

}  // namespace troupe
