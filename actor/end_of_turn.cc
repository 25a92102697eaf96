#include "actor/end_of_turn.h"

#include <algorithm>
#include <utility>

namespace troupe {

void EndOfTurnHooks::Add(std::shared_ptr<EndOfTurnHook> hook) {
  // From the end, where the last one stands, which the next actor asks for too.
  if (std::find(hooks_.rbegin(), hooks_.rend(), hook) != hooks_.rend()) return;
  hooks_.push_back(std::move(hook));
}

void EndOfTurnHooks::AfterTurn() {
  const auto now = std::chrono::steady_clock::now();
  if (turns_++ == 0) begun_ = now;
  if (turns_ >= kTurns || hooks_.size() >= kHooks || now - begun_ >= kTime) Run();
}

void EndOfTurnHooks::Run() {
  turns_ = 0;
  for (std::shared_ptr<EndOfTurnHook>& hook : std::exchange(hooks_, {})) {
    guard_.Run([&] { hook->EndOfTurn(); });
  }
}

}  // namespace troupe
