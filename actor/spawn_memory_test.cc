// What an actor that waits takes of memory, in a process of its own, whose memory nobody else has used before.
#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "actor/actor.h"
#include "actor/thread_executor.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

struct Wake {
  std::atomic<int>* woken;
};
class Sleeper : public Actor<Sleeper> {
 public:
  void Handle(Wake wake, Context&) { ++*wake.woken; }
};

// All have handled a message when this returns.
void SpawnSleepers(ActorSystem& system, int count, std::vector<Address<Sleeper>>& sleepers) {
  std::atomic<int> woken{0};
  for (int i = 0; i < count; ++i) {
    sleepers.push_back(system.Spawn<Sleeper>());
    sleepers.back().Tell(Wake{&woken});
    // So that what is measured are the actors and not their messages.
    while (i - woken > 1000) std::this_thread::yield();
  }
  while (woken < count) std::this_thread::yield();
}

double ResidentBytes() {
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

TEST(SpawnMemoryTest, AnIdleActorTakesAboutThreeHundredBytesAtMost) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers' memory is not ours";
#endif
  constexpr int kActors = 50'000;
  ThreadExecutor executor({.workers = 1});
  ActorSystem system(executor);
  std::vector<Address<Sleeper>> sleepers;
  sleepers.reserve(kActors + 1000);
  SpawnSleepers(system, 1000, sleepers);
  malloc_trim(0);
  const double before = ResidentBytes();
  SpawnSleepers(system, kActors, sleepers);
  const double each = (ResidentBytes() - before) / kActors - sizeof(sleepers[0]);
  // The table of all actors has up to twice the places that it needs, and the slabs and pages are not all full.
  EXPECT_LE(each, 330);
  EXPECT_GE(each, 200) << "less than the actor's own object: something else was measured";
}

}  // namespace
}  // namespace troupe
