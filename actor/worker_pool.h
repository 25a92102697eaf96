// The threads that give actors their turns.
//
// Each worker has a queue of its own, filled by the turns that it runs, so that
// actors that talk to each other stay on one core: a message to another core
// costs more than most handlers do. Work moves to another worker only when it
// has waited for kPatience: thieves remember how far a queue reached and come
// back. What other threads schedule goes to one common queue.
//
// A worker without work looks around for kSearch, then sleeps, without a
// timeout while nobody runs. While somebody does, one sleeper, the watcher,
// wakes every kWatchPeriod to see whether something has waited too long. So
// whatever waits behind a handler that does not end is seen after that time at
// most, and no message pays for a clock.
//
//   Threads:  any thread may schedule.
//   Ordering: within one queue in the order of the calls.
//   Lifetime: as Executor says of Schedule and Stop.
#ifndef TROUPE_ACTOR_WORKER_POOL_H_
#define TROUPE_ACTOR_WORKER_POOL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "actor/executor.h"
#include "actor/ready_queue.h"
#include "actor/stall_detector.h"

namespace troupe {

class WorkerPool {
 public:
  // The threads have this name (its first 15 bytes) for debuggers.
  WorkerPool(int workers, int messages_per_turn, std::string_view name = "worker");
  ~WorkerPool();

  void Schedule(Runnable& runnable) {
    Worker* self = current_;
    if (self != nullptr && &self->pool == this && self->queue.Push(&runnable)) return EnsureObserver();
    ScheduleCommon(runnable);
  }
  // In a turn of one of the workers.
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook);
  void Stop();

  // Calls `begin` before a turn, on its worker, when nobody was active: the first time, and after EndActive. Once at
  // most, before anything is scheduled.
  void OnActive(std::function<void()> begin);
  // True: all workers sleep. The next turn of any will begin the activity anew.
  bool EndActive();
  bool asleep() const { return sleeping_.load() == workers_.size(); }
  // What the workers are at; null for one that has not begun or has ended. No worker ends meanwhile.
  void VisitTurnMarks(absl::FunctionRef<void(const std::vector<const internal::TurnMark*>&)> visit);

 private:
  using Clock = std::chrono::steady_clock;
  template <typename T>
  using StdAtomic = std::atomic<T>;

  static constexpr std::chrono::microseconds kPatience{50};
  static constexpr std::chrono::microseconds kSearch{200};
  static constexpr std::chrono::milliseconds kWatchPeriod{1};
  // While both hold something, every so manieth turn goes to the common queue. Not more rarely: a turn may last for
  // milliseconds, and what comes from outside is few.
  static constexpr uint32_t kCommonTurn = 2;
  static constexpr size_t kMostTakenAtOnce = 128;

  struct alignas(64) Worker {
    explicit Worker(WorkerPool& its_pool) : pool(its_pool) {}

    WorkerPool& pool;
    BasicReadyQueue<StdAtomic, Runnable, 1024> queue;
    // Touched by the worker's thread only.
    uint32_t turns = 0;
    EndOfTurnHooks hooks;
    std::vector<uint32_t> marks;  // how far the others' queues reached at the last look
    // 0 while it sleeps, or is about to.
    alignas(64) std::atomic<uint32_t> awake{1};
    std::thread thread;
  };

  static thread_local constinit Worker* current_;

  void ScheduleCommon(Runnable& runnable);
  void Run(Worker& self);
  Runnable* Next(Worker& self);
  Runnable* TakeCommon(Worker& self);
  Runnable* Search(Worker& self);
  // Notes how far the others' queues reach.
  void Mark(Worker& self);
  // From a queue in which something waits that waited at the last Mark.
  Runnable* StealWhatWaits(Worker& self);
  // True: as the watcher, and nobody woke it.
  bool Sleep(Worker& self);
  void WakeOne();
  // What has just come to the own queue must not depend on this worker alone.
  void EnsureObserver() {
    if (sleeping_.load(std::memory_order_relaxed) > 0 && observers_.load(std::memory_order_relaxed) == 0) WakeOne();
  }
  void RemoveSleeper(Worker& worker);  // with sleep_mutex_

  void BeginActive();
  void ShowTurnMark(size_t worker, const internal::TurnMark* mark);

  const int messages_per_turn_;
  std::vector<std::unique_ptr<Worker>> workers_;

  std::atomic<bool> stopped_{false};
  std::atomic<uint32_t> searching_{0};
  std::atomic<uint32_t> observers_{0};  // who searches, and the watcher
  std::atomic<size_t> sleeping_{0};     // sleepers_.size()
  std::mutex sleep_mutex_;
  // Guarded by sleep_mutex_.
  std::vector<Worker*> sleepers_;
  Worker* watcher_ = nullptr;  // among the sleepers

  std::atomic<bool> active_{true};  // until OnActive, so that no turn asks for more
  std::function<void()> begin_active_;
  std::mutex marks_mutex_;
  std::vector<const internal::TurnMark*> marks_;  // guarded by marks_mutex_; as workers_

  std::mutex common_mutex_;
  ReadyList common_;                    // guarded by common_mutex_
  std::atomic<size_t> common_size_{0};  // of common_
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_WORKER_POOL_H_
