// Actors without threads: one seed decides the order of everything, time moves only when nothing else is to do, and
// the same seed gives the same run to the last event. A whole cluster fits: each node has a DeterministicExecutor,
// and all share one Simulator.
//
//   Simulator simulator(/*seed=*/7);
//   DeterministicExecutor executor(simulator, /*node=*/1);
//   ActorSystem system(executor);
//   ... system.Spawn, Ask(...).Then ...
//   simulator.RunFor(absl::Seconds(1));
//
// A step is one message of one ready actor, chosen by the seed among all ready actors of all nodes, or an event that is
// due at this very moment. Only when none is ready does the clock move, to the earliest event: a timer, the end of
// blocking work, or one put in by the test. Events of one instant come in a seeded order.
//
// A test may hold up one actor of its choice (Pause, Resume, Slow) or give it its next message by hand (StepOne), while
// everything else goes on.
//
// The trace hash is a rolling hash over every step: virtual time, node, kind, payload. Two runs of one seed that
// differ in it are a bug: somewhere an order leaked in that the seed does not decide (a hash map's, an address's).
#ifndef TROUPE_ACTOR_DETERMINISTIC_EXECUTOR_H_
#define TROUPE_ACTOR_DETERMINISTIC_EXECUTOR_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "actor/executor.h"
#include "actor/random.h"

namespace troupe {

// Not thread-safe: everything happens on the thread that calls Run*.
class Simulator {
 public:
  // What the trace says happened. Part of the hash: add at the end, never change a number.
  enum class Kind : uint8_t { kTurn = 1, kTimer = 2, kBlockingDone = 3, kEvent = 4, kNote = 5, kDelay = 6 };
  using EventId = uint64_t;

  explicit Simulator(uint64_t seed);

  Instant Now() const { return now_; }
  uint64_t seed() const { return seed_; }
  // A stream of chance for one purpose, so that draws for one thing do not shift another's.
  Random StreamFor(std::string_view purpose) const { return root_.Split(purpose); }

  // Calls back at `when` (now, when that has passed). Node 0 is the world's own: links, plans, faults.
  EventId At(Instant when, uint32_t node, Kind kind, absl::AnyInvocable<void()> callback);
  bool Cancel(EventId id);
  void MakeReady(uint32_t node, Runnable& runnable);
  // Drops what a node has ready and all its events. For DeterministicExecutor::Stop, which also lets nothing new in.
  void DropNode(uint32_t node);

  // Power over one Runnable: an actor, by its executor's node and its id; testkit.h has the same by address. Paused, it
  // takes no turn and its mail waits, while time and all others go on.
  void Pause(uint32_t node, uint64_t id);
  void Resume(uint32_t node, uint64_t id);
  // From now on each of its messages takes so long before it is handled. Zero: no longer.
  void Slow(uint32_t node, uint64_t id, Duration delay);
  // Gives it a turn of one message now, paused or not. False: it has nothing to do.
  bool StepOne(uint32_t node, uint64_t id);

  // One step. False: there is nothing left to do, now or later.
  bool Step();
  // Steps until the condition holds. False: it did not within `limit` of virtual time.
  bool RunUntil(const std::function<bool()>& condition, Duration limit);
  // Steps until this much time has passed and everything due by then is done.
  void RunFor(Duration duration);

  // Puts something of the caller's into the trace hash, say the content of a message on a link.
  void Note(uint32_t node, uint64_t payload) { Trace(Kind::kNote, node, payload); }
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t steps() const { return steps_; }

 private:
  struct Event {
    uint32_t node = 0;
    Kind kind = Kind::kEvent;
    absl::AnyInvocable<void()> callback;
  };
  struct Ready {
    uint32_t node = 0;
    Runnable* runnable = nullptr;
  };
  struct EventKey {
    Instant when;
    uint64_t tie = 0;  // drawn from the seed, so that events of one instant are shuffled
    EventId id = 0;
    friend auto operator<=>(const EventKey&, const EventKey&) = default;
  };

  // What is unusual about a Runnable.
  struct Control {
    bool paused = false;
    Duration delay;
    EventId wait = 0;          // the event that ends its delay; 0: none
    Runnable* held = nullptr;  // ready but for the above
  };
  using ControlKey = std::pair<uint32_t, uint64_t>;

  // True: it is held up.
  bool HoldUp(uint32_t node, Runnable& runnable);
  void LetGo(const ControlKey& key, Control& control);
  // Out of ready_; null when it is not there.
  Runnable* TakeReady(const ControlKey& key);
  void RunTurn(const Ready& chosen);
  void RunReady(size_t choice);
  void RunEarliest();
  void Trace(Kind kind, uint32_t node, uint64_t payload);

  const uint64_t seed_;
  const Random root_;
  Random schedule_;
  Random ties_;
  Instant now_;
  EventId next_event_ = 1;
  std::map<EventKey, Event> events_;
  std::unordered_map<EventId, EventKey> event_keys_;  // never iterated in an order that matters
  std::vector<Ready> ready_;
  std::map<ControlKey, Control> controls_;
  uint64_t steps_ = 0;
  uint64_t steps_at_now_ = 0;
  uint64_t trace_hash_ = 0xCBF29CE484222325;
};

struct DeterministicExecutorOptions {
  // Blocking work takes this long, anything between as likely; several pieces at once overtake each other.
  Duration blocking_min = absl::Microseconds(50);
  Duration blocking_max = absl::Microseconds(500);
  size_t blocking_queue_limit = 4096;
};

// One node's view of a Simulator, which must outlive it.
class DeterministicExecutor final : public Executor {
 public:
  DeterministicExecutor(Simulator& simulator, uint32_t node, DeterministicExecutorOptions options = {});
  ~DeterministicExecutor() override { Stop(); }

  Instant Now() const override { return simulator_.Now(); }
  // Begins in 1970 with the simulator's time and goes with it; a test may let this node's jump.
  absl::Time WallTime() const override { return Executor::WallTime() + wall_offset_; }
  void SetWallTime(absl::Time now) { wall_offset_ = now - Executor::WallTime(); }
  uint32_t node() const { return node_; }
  // Each node has its own.
  uint64_t Seed() override;
  void Schedule(Runnable& runnable) override;
  // The end of the batch is one of the ready, from which the seed chooses: so it comes before time moves.
  void AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) override;
  [[nodiscard]] bool RunBlocking(absl::AnyInvocable<void()> work) override;
  TimerId RunAt(Instant when, absl::AnyInvocable<void()> callback) override;
  bool CancelTimer(TimerId id) override { return simulator_.Cancel(id); }
  void Arm(Deadline& deadline, Instant when) override;
  void Disarm(Deadline& deadline) override { simulator_.Cancel(deadline.timer_); }
  void Stop() override;

 private:
  class BatchEnd final : public Runnable {
   public:
    void RunTurn(int) override { hooks.Run(); }
    uint64_t trace_id() const override { return UINT64_MAX; }
    EndOfTurnHooks hooks;
  };

  Simulator& simulator_;
  const uint32_t node_;
  const DeterministicExecutorOptions options_;
  Random latency_;
  size_t blocking_in_flight_ = 0;
  absl::Duration wall_offset_;
  BatchEnd batch_end_;
  internal::CallbackGuard blocking_guard_{"blocking work"};
  internal::CallbackGuard timer_guard_{"a timer's callback"};
  bool stopped_ = false;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_DETERMINISTIC_EXECUTOR_H_
