// What the two ends of a stream share.
#ifndef TROUPE_ACTOR_STREAM_CORE_H_
#define TROUPE_ACTOR_STREAM_CORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "actor/cell_streams.h"
#include "actor/executor.h"
#include "actor/future.h"

namespace troupe::internal {

// All but the items. The sink may push while the actor has asked for items (asked_) and the buffer has room for one.
// One announcement at a time is on its way to the actor, or has come and is not yet used up: it says that something
// waits here.
//   Threads: any, under mutex_. Nothing of anybody else's runs under it.
class StreamCore {
 public:
  StreamCore(Executor& executor, size_t capacity);
  virtual ~StreamCore() = default;

  // For the sink.
  Executor& executor() { return executor_; }
  Future<void> Ready(Instant deadline);
  void End(absl::Status reason);
  bool cancelled() const;

  // For the actor, in its turns.
  void Open(const std::shared_ptr<LocalCell>& consumer, StreamId id, StreamDemand demand);
  void Request(uint64_t items);

 protected:
  // These need the lock; what takes it along lets it go before it does anything else.
  absl::Status Refusal() const;
  void NotePush(std::unique_lock<std::mutex> lock);
  // True: nothing more waits, and what comes next will be announced.
  bool NoteTake();
  // Tells a sink that waits that it may push, once half of the buffer is free: a wake-up for each item would cost more
  // than the items.
  void WakeSink(std::unique_lock<std::mutex> lock);
  void NoteCancel(std::unique_lock<std::mutex> lock);

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::optional<absl::Status> end_;  // set by the sink; OK: finished
  size_t waiting_ = 0;               // items in the buffer

 private:
  bool MayPush() const { return asked_ > 0 && waiting_ < capacity_; }
  void Announce(std::unique_lock<std::mutex> lock);

  Executor& executor_;
  const size_t capacity_;
  // Guarded by mutex_.
  uint64_t asked_ = 0;
  StreamDemand demand_ = StreamDemand::kAutomatic;
  bool cancelled_ = false;
  bool announced_ = false;
  std::weak_ptr<LocalCell> consumer_;  // from Open on
  StreamId id_ = 0;                    // 0 before Open
  Reply<void> waiter_;                 // of the sink that waits until it may push
};

template <typename T>
class StreamState final : public StreamCore {
  // Items move from the buffer to the handler outside of the guard that catches the actor's failures.
  static_assert(std::is_nothrow_move_constructible_v<T>, "an item of a stream must move without throwing");

 public:
  struct Taken {
    std::optional<T> item;
    std::optional<absl::Status> end;  // when there are no more items
    bool dry = true;                  // until the next announcement
  };

  using StreamCore::StreamCore;

  absl::Status TryPush(T&& item) {
    std::unique_lock lock(mutex_);
    absl::Status refusal = Refusal();
    if (!refusal.ok()) return refusal;
    items_.push_back(std::move(item));
    NotePush(std::move(lock));
    return absl::OkStatus();
  }

  Taken Take() {
    Taken taken;
    std::unique_lock lock(mutex_);
    if (items_.empty()) {
      taken.end = end_;
      return taken;
    }
    taken.item.emplace(std::move(items_.front()));
    items_.pop_front();
    taken.dry = NoteTake();
    WakeSink(std::move(lock));
    return taken;
  }

  void Cancel() {
    std::deque<T> dropped;  // destroyed outside the lock
    std::unique_lock lock(mutex_);
    dropped.swap(items_);
    NoteCancel(std::move(lock));
  }

 private:
  std::deque<T> items_;  // guarded by mutex_
};

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_STREAM_CORE_H_
