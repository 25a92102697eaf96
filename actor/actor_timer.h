// The timers of one actor, as its cell keeps them.
#ifndef TROUPE_ACTOR_ACTOR_TIMER_H_
#define TROUPE_ACTOR_ACTOR_TIMER_H_

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "actor/cron.h"
#include "actor/envelope.h"
#include "actor/executor.h"
#include "actor/handler_envelope.h"
#include "actor/time.h"

namespace troupe {

class LocalCell;

// Of one actor; 0 is none, and none comes twice.
using TimerId = uint64_t;

// Lies on the executor's wheel by itself, so that it takes one block of memory, and its place in the TimerTable.
class ActorTimer : public Deadline {
 public:
  // Without a period or a cron clock it fires once.
  ActorTimer(Duration period, std::unique_ptr<CronClock> cron) : period_(period), cron_(std::move(cron)) {}

  // The message of a tick, in the actor's turn. The last one takes what the timer holds.
  virtual std::unique_ptr<Envelope> MakeEnvelope(bool last) = 0;

  void Expire(const absl::Status& status) final;

 protected:
  ~ActorTimer() override = default;

 private:
  friend class LocalCell;
  void OnUnreferenced() final { delete this; }

  // Set when it is started.
  std::weak_ptr<LocalCell> cell_;
  TimerId id_ = 0;

  const Duration period_;
  const std::unique_ptr<CronClock> cron_;
};

struct DropReference {
  void operator()(Deadline* deadline) const { deadline->Unref(); }
};
using ActorTimerRef = std::unique_ptr<ActorTimer, DropReference>;

template <typename A, typename M>
requires Handles<A, M>
class ActorTimerOf final : public ActorTimer {
 public:
  ActorTimerOf(M message, Duration period, std::unique_ptr<CronClock> cron)
      : ActorTimer(period, std::move(cron)), message_(std::move(message)) {}

  std::unique_ptr<Envelope> MakeEnvelope(bool last) override {
    if constexpr (std::copy_constructible<M>) {
      if (!last) return std::make_unique<HandlerEnvelope<A, M>>(M(message_));
    }
    return std::make_unique<HandlerEnvelope<A, M>>(std::move(message_));
  }

 private:
  M message_;
};

// Finds a timer by its id in constant time, and knows an id of former times, also after Clear. Not thread-safe.
class TimerTable {
 public:
  TimerTable() = default;
  TimerTable(const TimerTable&) = delete;

  TimerId Add(ActorTimerRef timer);
  // Null: it has been removed, or never was.
  ActorTimer* Find(TimerId id) const;
  ActorTimerRef Remove(TimerId id);
  // Takes all off the executor's clock and forgets them.
  void Clear(Executor& executor);

 private:
  struct Place {
    ActorTimerRef timer;
    uint32_t generation = 1;
    uint32_t next_free = 0;
  };

  // Places are counted from 1.
  std::vector<Place> places_;
  uint32_t first_free_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_ACTOR_TIMER_H_
