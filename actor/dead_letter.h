// Messages that found no actor: counted by reason, and shown to whoever wants to see them.
#ifndef TROUPE_ACTOR_DEAD_LETTER_H_
#define TROUPE_ACTOR_DEAD_LETTER_H_

#include <string>

#include "absl/status/status.h"

namespace troupe {

enum class DeadLetterReason {
  kTerminated,   // the actor was gone, or went before it came to the message
  kMailboxFull,  // refused, or dropped to make room
  kExpired,      // the asker's deadline had passed before the actor came to it
  kStashFull,    // put off by the actor when as many were put off as may be
  kUnhandled,    // of a type that the actor does not take in the state that it was in
};
inline constexpr int kDeadLetterReasons = 5;

struct DeadLetter {
  DeadLetterReason reason;
  // The actor that it was for, and the message's C++ type.
  std::string recipient;
  std::string message_type;
};

// What the asker of such a message is told.
absl::Status DeadLetterStatus(DeadLetterReason reason, const std::string& recipient);

}  // namespace troupe

#endif  // TROUPE_ACTOR_DEAD_LETTER_H_
