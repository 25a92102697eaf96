// The end-of-turn hook: many actors share one write.
//
//   class SharedLog : public EndOfTurnHook {
//    public:
//     void Append(std::string entry, Reply<void> written);  // by actors, in their turns
//     void EndOfTurn() override;                            // one write for all that was appended, then the replies
//   };
//
//   void Handle(Put put, Reply<void> reply, Context& context) {
//     log_->Append(Encode(put), std::move(reply));
//     context.AtEndOfTurn(log_);
//   }
//
// A worker gives one actor after the other a turn. Those turns, from the first that asks for a hook on, are a batch: it
// ends when no actor waits for this worker any more, after kTurns turns or kTime, whichever comes first (no turn is cut
// short for it), and always before the worker looks for work elsewhere or sleeps. Then each hook that was asked for is
// called once, however many actors asked for it, on the thread that had the turns. The actor that asked may have ended
// by then.
#ifndef TROUPE_ACTOR_END_OF_TURN_H_
#define TROUPE_ACTOR_END_OF_TURN_H_

#include <chrono>
#include <memory>
#include <vector>

#include "actor/callback_guard.h"

namespace troupe {

class EndOfTurnHook {
 public:
  virtual ~EndOfTurnHook() = default;

  // No actor's turn runs on this thread meanwhile, but each worker calls for itself: several may be in here at once,
  // or in a turn that uses what this uses. Actors may be told; a Wait is forbidden, and what waits for the disk belongs
  // on the blocking pool (Executor::RunBlocking), unless only pinned actors ask for this hook. An exception is logged,
  // but not each of many (callback_guard.h).
  virtual void EndOfTurn() = 0;
};

// What one worker has to call at the end of its batch. Not thread-safe.
class EndOfTurnHooks {
 public:
  static constexpr int kTurns = 64;
  static constexpr std::chrono::microseconds kTime{200};
  // A batch that has so many different hooks ends with the turn.
  static constexpr size_t kHooks = 64;

  bool pending() const { return !hooks_.empty(); }
  // In a turn.
  void Add(std::shared_ptr<EndOfTurnHook> hook);
  // After each turn while something is pending: ends the batch if it is long enough.
  void AfterTurn();
  // Ends the batch.
  void Run();

 private:
  std::vector<std::shared_ptr<EndOfTurnHook>> hooks_;
  internal::CallbackGuard guard_{"an end-of-turn hook"};
  int turns_ = 0;  // of this batch
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_END_OF_TURN_H_
