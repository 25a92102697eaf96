#include "actor/thread_executor.h"

#include <glog/logging.h>

#include <algorithm>
#include <ctime>
#include <random>
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
      pinned_(*this, options_.pinned_limit, options_.messages_per_turn),
      stall_detector_(options_.stall_limit),
      timers_(Now()) {
  for (const ThreadExecutorOptions::Pool& pool : options_.pools) {
    CHECK(pool.workers > 0) << "the pool " << pool.name << " needs a worker";
    pools_.push_back(std::make_unique<PoolExecutor>(*this, pool.name, pool.workers, pool.messages_per_turn));
  }
  for (int i = 0; i < options_.blocking_threads; ++i) {
    threads_.emplace_back([this] {
      absl::AnyInvocable<void()> work;
      while (blocking_.Pop(work)) {
        blocking_guard_.Run(work);
        work = nullptr;
      }
    });
  }
  threads_.emplace_back([this] {
    internal::ForbidWaiting();
    timers_.Run(*this);
  });
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

// What std::chrono::steady_clock reads.
Instant ThreadExecutor::Now() const { return ReadClock(CLOCK_MONOTONIC); }
Instant ThreadExecutor::CoarseNow() const { return ReadClock(CLOCK_MONOTONIC_COARSE); }

uint64_t ThreadExecutor::Seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

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

Instant ThreadExecutor::DeadlineIn(Duration timeout) const {
  // The coarse clock's steps are a hundredth of a second at most. Counted in nanoseconds, which is cheaper than to add
  // durations, and converted once for many asks, since that takes longer than all the rest here.
  static constinit thread_local struct {
    Duration timeout;
    int64_t nanos = 0;
  } last;
  if (timeout != last.timeout) {
    last.timeout = timeout;
    last.nanos = absl::ToInt64Nanoseconds(timeout);
  }
  const int64_t nanos = last.nanos;
  if (nanos < 100 * kCoarseNanos) return Now() + timeout;
  int64_t deadline = 0;
  if (__builtin_add_overflow(CoarseNow().nanos() + kCoarseNanos, nanos, &deadline)) return Instant::Never();
  return Instant::FromNanos(deadline);
}

void ThreadExecutor::Arm(Deadline& deadline, Instant when) {
  if (!timers_.Arm(deadline, when)) deadline.Expire(Deadline::ExecutorEnded());
}

void ThreadExecutor::OnStall(std::function<void(const internal::StalledTurn&)> callback) {
  if (options_.stall_limit == absl::InfiniteDuration()) return;
  on_stall_ = std::move(callback);
  workers_.OnActive([this] { LookForStallsSoon(); });
}

void ThreadExecutor::LookForStallsSoon() {
  RunAt(Now() + stall_detector_.period(), [this] { LookForStalls(); });
}

void ThreadExecutor::LookForStalls() {
  // First, so that a worker which falls asleep after its turn was looked at is looked at once more.
  const bool asleep = workers_.asleep();
  std::vector<internal::StalledTurn> stalls;
  workers_.VisitTurnMarks(
      [&](const std::vector<const internal::TurnMark*>& marks) { stalls = stall_detector_.Look(Now(), marks); });
  for (const internal::StalledTurn& turn : stalls) on_stall_(turn);
  if (!asleep || !workers_.EndActive()) LookForStallsSoon();
}

void ThreadExecutor::Stop() {
  std::lock_guard stop_lock(stop_mutex_);
  workers_.Stop();
  for (const auto& pool : pools_) pool->Stop();
  pinned_.StopTurns();
  blocking_.Close();
  // Before the join: a thread may wait for what one of them answers by its end.
  timers_.Stop();
  pinned_.Join();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace troupe
