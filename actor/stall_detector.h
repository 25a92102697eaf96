// Finds handlers that hold a worker for too long, for whatever reason: a lock, a disk, an endless loop.
//
//   system.OnStall([](const troupe::Stall& stall) { Alarm(stall.actor, stall.message_type, stall.lasted); });
//
// Turns read no clock for this: they write down what they are at, and somebody else looks at that from time to time
// while a worker is awake. So a stall is found whatever the handler does, also on the only worker, and its time is
// known to within a quarter of the limit. Only the workers that all actors share are looked at: a place of its own
// (dispatch.h) is for turns that last, and work on the blocking pool may block.
#ifndef TROUPE_ACTOR_STALL_DETECTOR_H_
#define TROUPE_ACTOR_STALL_DETECTOR_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <typeinfo>
#include <vector>

#include "actor/time.h"

namespace troupe {

// A handler that has held a worker for longer than the limit. Told of twice: when it is found, and when it is over.
struct Stall {
  std::string actor;  // its name, or type and id
  // The C++ type of the message; empty for a hook or a continuation.
  std::string message_type;
  // Of the clock on the wall: on a busy machine the thread may have been without a core for some of it.
  Duration lasted;
  bool over = false;
};

namespace internal {

// What a thread is at. Its own thread writes, the detector reads.
struct TurnMark {
  std::atomic<uint64_t> handler{0};  // counts them
  std::atomic<uint64_t> actor{0};    // its id; 0 between turns
  std::atomic<const std::type_info*> message{nullptr};

  void Begin(uint64_t actor_id) {
    actor.store(actor_id, std::memory_order_relaxed);
    Count();
  }
  // Null: a hook or continuation.
  void Handling(const std::type_info* type) {
    message.store(type, std::memory_order_relaxed);
    Count();
  }
  void Count() { handler.store(handler.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void End() { actor.store(0, std::memory_order_relaxed); }
};
extern constinit thread_local TurnMark turn_mark;

struct StalledTurn {
  uint64_t actor = 0;
  const std::type_info* message = nullptr;
  Duration lasted;
  bool over = false;
};

// Pure: time comes in as a parameter. Not thread-safe.
class StallDetector {
 public:
  explicit StallDetector(Duration limit) : limit_(limit) {}

  // So often it must look.
  Duration period() const { return limit_ / 4; }
  // Which handlers have lasted too long, or are over that were told of. `marks` are always those of the same threads;
  // null for one that has ended. Who has not looked for a long time has stood still, maybe with the whole process: it
  // takes every handler for a new one.
  std::vector<StalledTurn> Look(Instant now, const std::vector<const TurnMark*>& marks);

 private:
  struct Watched {
    uint64_t handler = 0;
    Instant since;  // the first look at this one
    StalledTurn told;
  };

  const Duration limit_;
  Instant last_look_;
  std::vector<Watched> watched_;
};

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_STALL_DETECTOR_H_
