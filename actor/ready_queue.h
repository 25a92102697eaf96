// Actors that are ready to run, in the order in which they became so.
#ifndef TROUPE_ACTOR_READY_QUEUE_H_
#define TROUPE_ACTOR_READY_QUEUE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "actor/executor.h"

namespace troupe {

// What one worker has to run: a ring that its owner fills at the tail, and that
// the owner and thieves empty at the head, which only ever moves forward by
// compare-and-swap. FIFO for the owner too: taken from the tail, a flooded
// actor would run for ever.
//   Threads:  Push and Pop are the owner's, everything else any thread's.
//   Limits:   kCapacity, a power of two; the positions wrap around at 2^32, and
//   a thief that sleeps in the middle of a
//             theft for exactly that many is not provided for.
template <template <typename> class Atomic, typename T, uint32_t kCapacity>
class BasicReadyQueue {
 public:
  // False: full.
  bool Push(T* item) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= kCapacity) return false;
    Slot(tail).store(item, std::memory_order_relaxed);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Null: empty.
  T* Pop() {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    uint32_t head = head_.load(std::memory_order_acquire);
    while (head != tail) {
      T* item = Slot(head).load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return item;
      }
    }
    return nullptr;
  }

  // For the owner of `thief`, which must have room for kCapacity / 2: moves the
  // older half there, at least one. False: there was nothing, or somebody else
  // was at it.
  bool StealInto(BasicReadyQueue& thief) {
    uint32_t head = head_.load(std::memory_order_acquire);
    const uint32_t waiting = tail_.load(std::memory_order_acquire) - head;
    // More than fits: head and tail are of different moments.
    if (waiting == 0 || waiting > kCapacity) return false;
    const uint32_t count = waiting - waiting / 2;
    const uint32_t to = thief.tail_.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < count; ++i) {
      // What the owner overwrites meanwhile was taken before, so that the swap
      // below fails.
      thief.Slot(to + i).store(Slot(head + i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    if (!head_.compare_exchange_strong(head, head + count, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      return false;
    }
    thief.tail_.store(to + count, std::memory_order_release);
    return true;
  }

  // Positions count from 0 on over the queue's whole life. What was there when
  // the tail was at `tail` has all been taken once the head has come to it.
  uint32_t head() const { return head_.load(std::memory_order_acquire); }
  uint32_t tail() const { return tail_.load(std::memory_order_acquire); }

 private:
  static_assert((kCapacity & (kCapacity - 1)) == 0);

  Atomic<T*>& Slot(uint32_t position) { return slots_[position & (kCapacity - 1)]; }

  Atomic<uint32_t> head_{0};
  Atomic<uint32_t> tail_{0};
  std::array<Atomic<T*>, kCapacity> slots_{};
};

// A queue without a limit, linked through the Runnables. Not thread-safe.
class ReadyList {
 public:
  size_t size() const { return size_; }
  void Push(Runnable& runnable) {
    runnable.next_ready_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_ready_) = &runnable;
    last_ = &runnable;
    ++size_;
  }
  // Not when empty.
  Runnable& Pop() {
    --size_;
    return *std::exchange(first_, first_->next_ready_);
  }
  void Clear() { *this = ReadyList(); }

 private:
  Runnable* first_ = nullptr;
  Runnable* last_ = nullptr;  // when not empty
  size_t size_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_READY_QUEUE_H_
