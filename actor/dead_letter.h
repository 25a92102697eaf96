// Messages that found no actor: counted by reason and by name (actor_metrics.h), logged, and shown to whoever wants to
// see them.
//
// The log gets the first few of a minute as they come, and at its end one line that says how many more there were, by
// reason. While a system shuts down it gets none, since what waits then becomes a dead letter by intention.
#ifndef TROUPE_ACTOR_DEAD_LETTER_H_
#define TROUPE_ACTOR_DEAD_LETTER_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "actor/log_limit.h"

namespace troupe {

enum class DeadLetterReason {
  kTerminated,   // the actor was gone, or went before it came to the message
  kMailboxFull,  // refused, or dropped to make room
  kExpired,      // the asker's deadline had passed before the actor came to it
  kUnreachable,  // it was for an actor of another node, and there was no way there
  kStashFull,    // put off by the actor when as many were put off as may be
  kUnhandled,    // of a type that the actor does not take in the state that it was in
};
inline constexpr int kDeadLetterReasons = 6;

// As in "mailbox full".
std::string_view DeadLetterReasonName(DeadLetterReason reason);

struct DeadLetter {
  DeadLetterReason reason;
  // The actor that it was for, and the message's C++ type.
  std::string recipient;
  std::string message_type;
};

// What the asker of such a message is told.
absl::Status DeadLetterStatus(DeadLetterReason reason, const std::string& recipient);

namespace internal {

// Counts the dead letters of a system, and says which of them the log shows. Any thread may call anything.
class DeadLetterCounts {
 public:
  // What the log is to do with it, as LogLimit says.
  LogLimit::Line Count(DeadLetterReason reason);
  // The line that tells what the log has not shown; empty when there is nothing to tell.
  std::string EndInterval();

  uint64_t total() const;

 private:
  std::array<std::atomic<uint64_t>, kDeadLetterReasons> counts_{};
  std::array<std::atomic<uint64_t>, kDeadLetterReasons> hidden_{};  // in this interval
  LogLimit limit_;
};

}  // namespace internal

}  // namespace troupe

#endif  // TROUPE_ACTOR_DEAD_LETTER_H_
