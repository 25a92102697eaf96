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
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "actor/executor.h"
#include "actor/ready_queue.h"

namespace troupe {

class WorkerPool {
 public:
  WorkerPool(int workers, int messages_per_turn);
  ~WorkerPool();

  void Schedule(Runnable& runnable);
  void Stop();

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
    std::vector<uint32_t> marks;  // how far the others' queues reached at the last look
    // 0 while it sleeps, or is about to.
    alignas(64) std::atomic<uint32_t> awake{1};
    std::thread thread;
  };

  static thread_local constinit Worker* current_;

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

  std::mutex common_mutex_;
  ReadyList common_;                    // guarded by common_mutex_
  std::atomic<size_t> common_size_{0};  // of common_
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_WORKER_POOL_H_
