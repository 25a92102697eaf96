#include "actor/thread_executor.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "actor/future.h"

namespace troupe {

template <typename T>
bool ThreadExecutor::Queue<T>::Push(T item, size_t limit) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || items_.size() >= limit) return false;
    items_.push_back(std::move(item));
  }
  not_empty_.notify_one();
  return true;
}

template <typename T>
bool ThreadExecutor::Queue<T>::Pop(T& item) {
  std::unique_lock lock(mutex_);
  not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
  if (closed_) return false;
  item = std::move(items_.front());
  items_.pop_front();
  return true;
}

template <typename T>
void ThreadExecutor::Queue<T>::Close() {
  std::deque<T> dropped;  // destroyed outside the lock, since that may come back here
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(items_);
  }
  not_empty_.notify_all();
}

namespace {

int WorkersFor(const ThreadExecutorOptions& options) {
  return options.workers > 0 ? options.workers : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Instant ReadClock(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return Instant::FromNanos(int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec);
}

}  // namespace

ThreadExecutor::ThreadExecutor(ThreadExecutorOptions options)
    : options_(std::move(options)),
      workers_(WorkersFor(options_), options_.messages_per_turn),
      pinned_(*this, options_.pinned_limit, options_.messages_per_turn) {
  for (const ThreadExecutorOptions::Pool& pool : options_.pools) {
    CHECK(pool.workers > 0) << "the pool " << pool.name << " needs a worker";
    pools_.push_back(std::make_unique<PoolExecutor>(*this, pool.name, pool.workers, pool.messages_per_turn));
  }
  for (int i = 0; i < options_.blocking_threads; ++i) {
    threads_.emplace_back([this] {
      absl::AnyInvocable<void()> work;
      while (blocking_.Pop(work)) {
        work();
        work = nullptr;
      }
    });
  }
  threads_.emplace_back([this] { RunTimers(); });
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

// What std::chrono::steady_clock reads.
Instant ThreadExecutor::Now() const { return ReadClock(CLOCK_MONOTONIC); }
Instant ThreadExecutor::CoarseNow() const { return ReadClock(CLOCK_MONOTONIC_COARSE); }

absl::StatusOr<Executor*> ThreadExecutor::Place(const Dispatch& dispatch) {
  if (dispatch.where() == Dispatch::Where::kShared) return this;
  if (dispatch.where() == Dispatch::Where::kPinned) return pinned_.Start(dispatch.name());
  for (const auto& pool : pools_) {
    if (pool->name() == dispatch.name()) return pool.get();
  }
  const absl::string_view name(dispatch.name().data(), dispatch.name().size());
  return absl::NotFoundError(absl::StrCat("no pool is named ", name, "; ThreadExecutorOptions::pools declares them"));
}

bool ThreadExecutor::RunBlocking(absl::AnyInvocable<void()> work) {
  return blocking_.Push(std::move(work), options_.blocking_queue_limit);
}

ThreadExecutor::TimerId ThreadExecutor::RunAt(Instant when, absl::AnyInvocable<void()> callback) {
  bool earliest = false;
  TimerId id = 0;
  {
    std::lock_guard lock(timer_mutex_);
    id = next_timer_++;
    if (timers_stopped_) return id;
    auto position = timers_.emplace(std::pair(when, id), std::move(callback)).first;
    timer_times_.emplace(id, when);
    earliest = position == timers_.begin();
  }
  if (earliest) timer_changed_.notify_one();
  return id;
}

bool ThreadExecutor::CancelTimer(TimerId id) {
  absl::AnyInvocable<void()> callback;  // destroyed outside the lock
  std::lock_guard lock(timer_mutex_);
  auto time = timer_times_.find(id);
  if (time == timer_times_.end()) return false;
  auto timer = timers_.find(std::pair(time->second, id));
  callback = std::move(timer->second);
  timers_.erase(timer);
  timer_times_.erase(time);
  return true;
}

Instant ThreadExecutor::DeadlineIn(Duration timeout) const {
  // The coarse clock's steps are 10 ms at most, a hundredth of a second. Counted in nanoseconds, which is cheaper than
  // to add durations.
  constexpr int64_t kStep = 10'000'000;
  const int64_t nanos = absl::ToInt64Nanoseconds(timeout);
  if (nanos < 100 * kStep) return Now() + timeout;
  int64_t deadline = 0;
  if (__builtin_add_overflow(CoarseNow().nanos() + kStep, nanos, &deadline)) return Instant::Never();
  return Instant::FromNanos(deadline);
}

void ThreadExecutor::Arm(Deadline& deadline, Instant when) {
  if (!deadlines_.Arm(deadline, when)) return deadline.Expire(Deadline::ExecutorEnded());
  if (when.nanos() >= next_look_.load()) return;
  // Once the thread waits, so that it cannot miss this.
  { std::lock_guard lock(timer_mutex_); }
  timer_changed_.notify_one();
}

Instant ThreadExecutor::NextTimer() {
  // Before the wheel is looked at: who comes to it after the look sees this, and calls.
  next_look_.store(Instant::Never().nanos());
  const Instant deadline = deadlines_.Earliest();
  next_look_.store(deadline.nanos());
  return timers_.empty() ? deadline : std::min(deadline, timers_.begin()->first.first);
}

void ThreadExecutor::RunTimers() {
  internal::ForbidWaiting();
  std::unique_lock lock(timer_mutex_);
  while (!timers_stopped_) {
    const Instant next = NextTimer();
    if (next == Instant::Never()) {
      timer_changed_.wait(lock);
      continue;
    }
    const Instant now = Now();
    if (now < next) {
      timer_changed_.wait_until(lock, std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next.nanos())));
      continue;
    }
    std::map<std::pair<Instant, TimerId>, absl::AnyInvocable<void()>>::node_type timer;
    if (!timers_.empty() && timers_.begin()->first.first <= now) {
      timer = timers_.extract(timers_.begin());
      timer_times_.erase(timer.key().second);
    }
    lock.unlock();
    if (!timer.empty()) {
      timer.mapped()();
      timer.mapped() = nullptr;
    }
    deadlines_.ExpireDue(now);
    lock.lock();
  }
}

void ThreadExecutor::Stop() {
  std::lock_guard stop_lock(stop_mutex_);
  workers_.Stop();
  for (const auto& pool : pools_) pool->Stop();
  pinned_.StopTurns();
  blocking_.Close();
  std::map<std::pair<Instant, TimerId>, absl::AnyInvocable<void()>> dropped;
  {
    std::lock_guard lock(timer_mutex_);
    timers_stopped_ = true;
    timer_times_.clear();
    dropped.swap(timers_);
  }
  timer_changed_.notify_all();
  // Before the join: a thread may wait for what one of them answers by its end.
  dropped.clear();
  deadlines_.Stop();
  pinned_.Join();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace troupe
