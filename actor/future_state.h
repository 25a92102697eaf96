// What the two ends of one answer share (future.h).
#ifndef TROUPE_ACTOR_FUTURE_STATE_H_
#define TROUPE_ACTOR_FUTURE_STATE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "actor/block_pool.h"
#include "actor/callback_guard.h"
#include "actor/executor.h"
#include "actor/time.h"

namespace troupe {

// What an ask ends in: the result, or why there is none.
template <typename R>
using Outcome =
    std::conditional_t<std::is_void_v<R>, absl::Status, absl::StatusOr<std::conditional_t<std::is_void_v<R>, int, R>>>;

namespace internal {
template <typename O>
struct ResultInOutcome;
template <>
struct ResultInOutcome<absl::Status> {
  using Type = void;
};
template <typename R>
struct ResultInOutcome<absl::StatusOr<R>> {
  using Type = R;
};
template <typename O>
using ResultIn = typename ResultInOutcome<O>::Type;
}  // namespace internal

namespace internal {

// What is called once with the outcome.
template <typename R>
class Waiter : public Pooled {
 public:
  virtual ~Waiter() = default;
  // Takes this object along.
  virtual void Answer(Outcome<R> outcome) = 0;
};

extern constinit CallbackGuard then_guard;

template <typename R, typename F>
class WaiterOf final : public Waiter<R> {
 public:
  explicit WaiterOf(F callback) : callback_(std::move(callback)) {}
  void Answer(Outcome<R> outcome) override {
    std::unique_ptr<WaiterOf> self(this);
    then_guard.Run([&] { callback_(std::move(outcome)); });
  }

 private:
  F callback_;
};

// Waits until one of the bits is set: for a moment busily, since most answers come soon, then asleep. Sets `asleep`
// before that: whoever sets a bit and finds it must notify.
void WaitForBits(std::atomic<uint32_t>& word, uint32_t bits, uint32_t asleep);

// The place where the answer, the deadline and the asker meet; the first to resolve it wins. What has happened is in
// one word of flags, so that an answer to an actor that waits already costs one exchange.
template <typename R>
class FutureState final : public Deadline {
 public:
  using Deadline::Deadline;

  // Arms the deadline, which must be done before the state is shared.
  void SetDeadline(Executor& executor, Instant deadline) {
    executor_ = &executor;
    deadline_ = deadline;
    executor.Arm(*this, deadline);
  }
  Instant deadline() const { return deadline_; }
  bool resolved() const { return (flags_.load(std::memory_order_relaxed) & kResolved) != 0; }

  void Expire(const absl::Status& status) override { Resolve(status); }

  void Resolve(Outcome<R> outcome) {
    const uint32_t before = flags_.fetch_or(kResolved, std::memory_order_acq_rel);
    if ((before & kResolved) != 0) return;
    // Not after this, so that an answer may outlive the executor.
    if (executor_ != nullptr) executor_->Disarm(*this);
    if ((before & kWaiter) != 0) return waiter_.release()->Answer(std::move(outcome));
    outcome_ = std::move(outcome);
    const uint32_t meanwhile = flags_.fetch_or(kReady, std::memory_order_acq_rel);
    if ((meanwhile & kWaiter) != 0) return waiter_.release()->Answer(*std::move(outcome_));
    if ((meanwhile & kAsleep) != 0) flags_.notify_all();
  }

  // The answering end is gone without an answer.
  void Abandon() {
    if (flags_.fetch_or(kAbandoned, std::memory_order_acq_rel) < kHeldOnce) ResolveAbandoned();
  }

  // The asker, which waits with Then, waits no more. The waiter is destroyed, now or by whoever is about to answer it.
  void Cancel() {
    if ((flags_.fetch_or(kResolved, std::memory_order_acq_rel) & kResolved) != 0) return;
    if (executor_ != nullptr) executor_->Disarm(*this);
    waiter_.reset();
  }

  // While a handler runs, a Reply that dies is not an answer yet: it may die because the handler fails. A question that
  // was passed on is held by several.
  void Hold() { flags_.fetch_add(kHeldOnce, std::memory_order_acq_rel); }
  // The handler has ended, with this failure or OK.
  void Release(const absl::Status& failure) {
    const uint32_t before = flags_.fetch_sub(kHeldOnce, std::memory_order_acq_rel);
    if (!failure.ok()) {
      Resolve(failure);
    } else if ((before & kAbandoned) != 0 && before < 2 * kHeldOnce) {
      ResolveAbandoned();
    }
  }

  Outcome<R> Wait() {
    WaitForBits(flags_, kReady, kAsleep);
    return *std::move(outcome_);
  }
  // The asker's, once only. Null: it is not there yet.
  std::optional<Outcome<R>> TakeIfReady() {
    if ((flags_.load(std::memory_order_acquire) & kReady) == 0) return std::nullopt;
    return std::move(outcome_);
  }

  void Then(std::unique_ptr<Waiter<R>> waiter) {
    waiter_ = std::move(waiter);
    const uint32_t before = flags_.fetch_or(kWaiter, std::memory_order_acq_rel);
    // Else whoever resolves it, or is about to, finds the waiter.
    if ((before & kReady) != 0) waiter_.release()->Answer(*std::move(outcome_));
  }

 private:
  static constexpr uint32_t kResolved = 1;  // there is an outcome, and no other will be taken
  static constexpr uint32_t kReady = 2;     // it is in outcome_
  static constexpr uint32_t kWaiter = 4;    // waiter_ is set
  static constexpr uint32_t kAbandoned = 8;
  static constexpr uint32_t kAsleep = 16;    // the asker's thread
  static constexpr uint32_t kHeldOnce = 32;  // counted from here up

  void ResolveAbandoned() {
    Resolve(absl::UnknownError("the actor ended or let the question go; what it did before is unknown"));
  }
  void OnUnreferenced() override {
    if ((flags_.load(std::memory_order_acquire) & kResolved) == 0 && executor_ != nullptr) executor_->Disarm(*this);
    delete this;
  }

  // Fixed once SetDeadline has returned.
  Executor* executor_ = nullptr;
  Instant deadline_ = Instant::Never();

  std::atomic<uint32_t> flags_{0};
  // Of whoever resolves it until kReady, then of the asker.
  std::optional<Outcome<R>> outcome_;
  // Of the asker until kWaiter, then of whoever resolves it.
  std::unique_ptr<Waiter<R>> waiter_;
};

// A reference to a FutureState.
template <typename R>
class FutureRef {
 public:
  FutureRef() = default;
  // Takes over a reference.
  explicit FutureRef(FutureState<R>* state) : state_(state) {}
  FutureRef(const FutureRef& other) : state_(other.state_) {
    if (state_ != nullptr) state_->Ref();
  }
  FutureRef(FutureRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  FutureRef& operator=(FutureRef other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~FutureRef() {
    if (state_ != nullptr) state_->Unref();
  }

  FutureState<R>* operator->() const { return state_; }
  explicit operator bool() const { return state_ != nullptr; }

 private:
  FutureState<R>* state_ = nullptr;
};

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_FUTURE_STATE_H_
