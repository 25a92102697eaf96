// What waits for one actor, in two lanes.
//
//   Threads:  any thread may push; only the actor's turn pops, ends the turn and closes.
//   Ordering: within a lane, in the order of the pushes. The system lane outranks the user lane.
//   Limits:   the user lane holds `capacity` items, at most kMaxMailboxCapacity; past it Push hands the new one back,
//             or the oldest, as the overflow policy says. Who wants to wait for room asks to have it back in any case,
//             sends word by the system lane, and is told when the turn finds the lane HalfEmpty. An item counts until
//             the end of the turn that pops it, or until the turn looks for more. The system lane has no limit: what
//             may go there bounds itself.
//   Lifetime: Close is final and hands back what was not read, so that each asker can be told.
//
// One word holds everything that senders and the turn agree on: the newest item of a stack that both lanes share, the
// user lane's depth, and whether the actor is scheduled, closed, or not open for user items. So one compare-and-swap
// is the push, the bound, the check for the end, and the right to schedule. The turn takes the whole stack at once
// and turns it over into two queues of its own; since nobody ever takes a single item off a stack, an item that comes
// back at the same place (ABA) does no harm.
#ifndef TROUPE_ACTOR_MAILBOX_H_
#define TROUPE_ACTOR_MAILBOX_H_

#include <glog/logging.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "actor/block_pool.h"
#include "actor/mailbox_item.h"

namespace troupe {

// What becomes of a Tell or Ask that finds the mailbox full. Whoever rather waits for room says so itself:
// Address::TellWait.
enum class Overflow : uint8_t {
  kReject,      // the new message is refused; its sender is told
  kDropNewest,  // the new message is dropped; its sender is not told, but its asker is
  kDropOldest,  // the message that has waited longest makes room; its asker is told
};

inline constexpr size_t kMaxMailboxCapacity = (size_t{1} << 17) - 1;

// `Atomic` and `Mutex` are std::atomic and std::mutex, or what a test puts in their place to run through the schedules.
template <template <typename> class Atomic, typename Mutex = std::mutex>
class BasicMailbox {
 public:
  struct PushResult {
    enum { kAccepted, kFull, kClosed } outcome = kAccepted;
    // The caller must schedule the actor: it was idle.
    bool wake = false;
  };

  // Begins scheduled, and with its user lane not open, as within a turn.
  BasicMailbox(size_t capacity, Overflow overflow)
      : overflow_(overflow),
        capacity_(static_cast<uint32_t>(capacity)),
        dropping_(overflow == Overflow::kDropOldest ? std::make_shared<DroppingLane>() : nullptr) {
    CHECK(capacity > 0 && capacity <= kMaxMailboxCapacity) << "a mailbox holds 1 to " << kMaxMailboxCapacity;
  }
  ~BasicMailbox() { Close(); }

  // Takes the item. If then there is one still, it has found no place: the same when it was refused, the oldest one
  // under kDropOldest. With may_drop false a full user lane refuses whatever the policy.
  PushResult Push(std::unique_ptr<MailboxItem>& item, MailboxLane lane, bool may_drop = true);

  // The next item for the turn; with user_lane false only the system lane's. Null when there is none.
  std::unique_ptr<MailboxItem> Pop(bool user_lane);

  // The next user item, whatever waits on the system lane, if `wanted` says so; else null, and it stays. For the turn.
  std::unique_ptr<MailboxItem> PopUserIf(absl::FunctionRef<bool(MailboxItem&)> wanted);

  // Ends a turn. True: there is more to do, and the caller must schedule the actor again. False: the actor is idle
  // until a push says wake, which may have happened already, so the caller must not touch it any more. user_lane as
  // for Pop: without it waiting user items do not wake the actor.
  bool EndTurn(bool user_lane);

  // In the turn: counts off what it has popped, and says whether the user lane holds half its capacity at most, which
  // is the time to tell those who wait for room. If it holds more, there will be another turn.
  bool HalfEmpty();

  // Refuses everything from now on, and gives what was not read, the system lane's first.
  std::vector<std::unique_ptr<MailboxItem>> Close();

  size_t depth() const;
  size_t capacity() const { return capacity_; }
  Overflow overflow() const { return overflow_; }

 private:
  // From the low end: flags, the newest item's address, the depth.
  static constexpr uint64_t kScheduled = 1;  // a turn runs or is queued
  static constexpr uint64_t kClosed = 2;
  static constexpr uint64_t kUserLaneShut = 4;  // a user item is not worth a turn
  static constexpr uint64_t kFlags = internal::kPoolGrain - 1;
  static constexpr int kDepthShift = 47;
  static constexpr uint64_t kOneDeep = uint64_t{1} << kDepthShift;
  static constexpr uint64_t kAddress = (kOneDeep - 1) & ~kFlags;

  // The user lane of a mailbox that drops its oldest item: senders take from its far end, which a stack cannot give.
  struct DroppingLane {
    Mutex mutex;
    ItemQueue items;  // guarded by mutex
    size_t size = 0;  // guarded by mutex
  };

  static MailboxItem* Newest(uint64_t word) { return reinterpret_cast<MailboxItem*>(word & kAddress); }
  static bool Wakes(uint64_t word, MailboxLane lane) {
    return (word & kScheduled) == 0 && (lane == MailboxLane::kSystem || (word & kUserLaneShut) == 0);
  }

  // With its lock, if there is one.
  bool EndTurnBeside(const DroppingLane* dropping, bool user_lane);
  PushResult PushDropping(std::unique_ptr<MailboxItem>& item, bool may_drop);
  std::unique_ptr<MailboxItem> PopDropping();
  // Sorts a stack, not an empty one, into the turn's queues.
  void TakeStack(MailboxItem* newest);
  // Takes what was pushed.
  void Refill();

  Atomic<uint64_t> word_{kScheduled | kUserLaneShut};
  // Something may be on the system lane's side of the stack. Apart from the word, which senders wrest from the turn.
  Atomic<bool> system_hint_{false};
  const Overflow overflow_;
  const uint32_t capacity_;
  // Touched only in the actor's turn.
  uint32_t popped_ = 0;  // user items that the depth still counts
  ItemQueue system_;
  ItemQueue user_;
  // Null unless the policy is kDropOldest. Shared with the turn that ends, since the mailbox may be gone before it has
  // let the lock go.
  const std::shared_ptr<DroppingLane> dropping_;
};

template <template <typename> class Atomic, typename Mutex>
inline typename BasicMailbox<Atomic, Mutex>::PushResult BasicMailbox<Atomic, Mutex>::Push(
    std::unique_ptr<MailboxItem>& item, MailboxLane lane, bool may_drop) {
  if (lane == MailboxLane::kSystem) {
    // Before the swap, after which the actor may be gone.
    system_hint_.store(true, std::memory_order_relaxed);
  } else if (dropping_ != nullptr) [[unlikely]] {
    return PushDropping(item, may_drop);
  }
  MailboxItem* const pushed = item.get();
  pushed->lane_ = lane;
  const uint64_t deep = lane == MailboxLane::kUser ? kOneDeep : 0;
  uint64_t word = word_.load(std::memory_order_relaxed);
  uint64_t next = 0;
  bool wake = false;
  do {
    if ((word & kClosed) != 0) return {PushResult::kClosed};
    if (deep != 0 && word >> kDepthShift >= capacity_) return {PushResult::kFull};
    pushed->next_ = Newest(word);
    wake = Wakes(word, lane);
    next = ((word & ~kAddress) | reinterpret_cast<uint64_t>(pushed) | (wake ? kScheduled : 0)) + deep;
  } while (!word_.compare_exchange_weak(word, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  item.release();
  return {PushResult::kAccepted, wake};
}

template <template <typename> class Atomic, typename Mutex>
typename BasicMailbox<Atomic, Mutex>::PushResult BasicMailbox<Atomic, Mutex>::PushDropping(
    std::unique_ptr<MailboxItem>& item, bool may_drop) {
  std::lock_guard lock(dropping_->mutex);
  const bool full = dropping_->size == capacity_;
  uint64_t word = word_.load(std::memory_order_relaxed);
  bool wake = false;
  do {
    if ((word & kClosed) != 0) return {PushResult::kClosed};
    if (full && !may_drop) return {PushResult::kFull};
    wake = Wakes(word, MailboxLane::kUser);
  } while (wake &&
           !word_.compare_exchange_weak(word, word | kScheduled, std::memory_order_acq_rel, std::memory_order_relaxed));
  dropping_->items.Append(std::move(item));
  ++dropping_->size;
  if (!full) return {PushResult::kAccepted, wake};
  item = dropping_->items.Pop();
  --dropping_->size;
  return {PushResult::kFull, wake};
}

template <template <typename> class Atomic, typename Mutex>
void BasicMailbox<Atomic, Mutex>::TakeStack(MailboxItem* newest) {
  if (newest->next_ == nullptr) {
    (newest->lane_ == MailboxLane::kSystem ? system_ : user_).AppendChain(newest, newest);
    return;
  }
  MailboxItem* first[2] = {};
  MailboxItem* last[2] = {};
  while (newest != nullptr) {
    MailboxItem* item = std::exchange(newest, newest->next_);
    const auto lane = static_cast<size_t>(item->lane_);
    item->next_ = first[lane];
    first[lane] = item;
    if (last[lane] == nullptr) last[lane] = item;
  }
  if (first[0] != nullptr) user_.AppendChain(first[0], last[0]);
  if (first[1] != nullptr) system_.AppendChain(first[1], last[1]);
}

template <template <typename> class Atomic, typename Mutex>
void BasicMailbox<Atomic, Mutex>::Refill() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  if (Newest(word) == nullptr) return;
  while (!word_.compare_exchange_weak(word, (word & ~kAddress) - popped_ * kOneDeep, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
  }
  popped_ = 0;
  TakeStack(Newest(word));
}

template <template <typename> class Atomic, typename Mutex>
std::unique_ptr<MailboxItem> BasicMailbox<Atomic, Mutex>::Pop(bool user_lane) {
  if (system_hint_.load(std::memory_order_relaxed)) {
    // First: what is pushed from here on hints again. What hinted before but is not there yet is found at the turn's
    // end, if not before.
    system_hint_.store(false, std::memory_order_relaxed);
    Refill();
  }
  if (!system_.empty()) return system_.Pop();
  if (!user_lane) return nullptr;
  if (dropping_ != nullptr) return PopDropping();
  if (user_.empty()) {
    Refill();
    if (!system_.empty()) return system_.Pop();
    if (user_.empty()) return nullptr;
  }
  ++popped_;
  return user_.Pop();
}

template <template <typename> class Atomic, typename Mutex>
std::unique_ptr<MailboxItem> BasicMailbox<Atomic, Mutex>::PopDropping() {
  std::lock_guard lock(dropping_->mutex);
  if (dropping_->size == 0) return nullptr;
  --dropping_->size;
  return dropping_->items.Pop();
}

template <template <typename> class Atomic, typename Mutex>
std::unique_ptr<MailboxItem> BasicMailbox<Atomic, Mutex>::PopUserIf(absl::FunctionRef<bool(MailboxItem&)> wanted) {
  if (dropping_ != nullptr) {
    std::lock_guard lock(dropping_->mutex);
    if (dropping_->size == 0 || !wanted(dropping_->items.front())) return nullptr;
    --dropping_->size;
    return dropping_->items.Pop();
  }
  if (user_.empty()) Refill();
  if (user_.empty() || !wanted(user_.front())) return nullptr;
  ++popped_;
  return user_.Pop();
}

template <template <typename> class Atomic, typename Mutex>
bool BasicMailbox<Atomic, Mutex>::EndTurn(bool user_lane) {
  if (dropping_ == nullptr) [[likely]] {
    return EndTurnBeside(nullptr, user_lane);
  }
  // Held across the swap, so that a sender sees either the turn or that it is over.
  const std::shared_ptr<DroppingLane> dropping = dropping_;
  std::lock_guard lock(dropping->mutex);
  return EndTurnBeside(dropping.get(), user_lane);
}

template <template <typename> class Atomic, typename Mutex>
bool BasicMailbox<Atomic, Mutex>::EndTurnBeside(const DroppingLane* dropping, bool user_lane) {
  uint64_t word = word_.load(std::memory_order_relaxed);
  for (;;) {
    if (Newest(word) != nullptr) {
      Refill();
      word = word_.load(std::memory_order_relaxed);
      continue;
    }
    const bool user_waits = dropping != nullptr ? dropping->size > 0 : !user_.empty();
    const bool more = !system_.empty() || (user_lane && user_waits);
    const uint64_t flags = (more ? kScheduled : 0) | (user_lane ? 0 : kUserLaneShut);
    const uint64_t next = ((word & ~(kScheduled | kUserLaneShut)) | flags) - popped_ * kOneDeep;
    // Before the swap, after which another turn may run.
    const uint32_t popped = std::exchange(popped_, 0);
    if (word_.compare_exchange_weak(word, next, std::memory_order_acq_rel, std::memory_order_relaxed)) return more;
    popped_ = popped;
  }
}

template <template <typename> class Atomic, typename Mutex>
bool BasicMailbox<Atomic, Mutex>::HalfEmpty() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while (popped_ > 0) {
    const uint64_t next = word - popped_ * kOneDeep;
    if (!word_.compare_exchange_weak(word, next, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
    popped_ = 0;
  }
  return depth() <= capacity_ / 2;
}

template <template <typename> class Atomic, typename Mutex>
std::vector<std::unique_ptr<MailboxItem>> BasicMailbox<Atomic, Mutex>::Close() {
  uint64_t word = word_.load(std::memory_order_relaxed);
  while (
      !word_.compare_exchange_weak(word, kScheduled | kClosed, std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
  if (Newest(word) != nullptr) TakeStack(Newest(word));
  std::vector<std::unique_ptr<MailboxItem>> unread;
  while (!system_.empty()) unread.push_back(system_.Pop());
  while (!user_.empty()) unread.push_back(user_.Pop());
  if (dropping_ != nullptr) {
    while (std::unique_ptr<MailboxItem> item = PopDropping()) unread.push_back(std::move(item));
  }
  return unread;
}

template <template <typename> class Atomic, typename Mutex>
size_t BasicMailbox<Atomic, Mutex>::depth() const {
  if (dropping_ == nullptr) return word_.load(std::memory_order_relaxed) >> kDepthShift;
  std::lock_guard lock(dropping_->mutex);
  return dropping_->size;
}

template <typename T>
using StdAtomic = std::atomic<T>;
using Mailbox = BasicMailbox<StdAtomic>;

}  // namespace troupe

#endif  // TROUPE_ACTOR_MAILBOX_H_
