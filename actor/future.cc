#include "actor/future.h"

#include <sched.h>

#include <chrono>

namespace troupe::internal {

constinit CallbackGuard then_guard("a callback of Future::Then");

void WaitForBits(std::atomic<uint32_t>& word, uint32_t bits, uint32_t asleep) {
  constexpr std::chrono::microseconds kSpin{50};
  if ((word.load(std::memory_order_acquire) & bits) != 0) return;
  // Before anything else, also a look at the clock: who has the answer may wait for this very core.
  sched_yield();
  if ((word.load(std::memory_order_acquire) & bits) != 0) return;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if ((word.load(std::memory_order_acquire) & bits) != 0) return;
#ifdef __x86_64__
      __builtin_ia32_pause();
#endif
    }
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  for (uint32_t seen = word.fetch_or(asleep, std::memory_order_acq_rel) | asleep; (seen & bits) == 0;
       seen = word.load(std::memory_order_acquire)) {
    word.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace troupe::internal
