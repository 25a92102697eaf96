// In steady state no message costs an allocation from the system's heap: what comes and goes lives in the block pool.
// This binary's operator new counts.
#include <atomic>
#include <cstdlib>
#include <future>
#include <new>
#include <thread>

#include "actor/actor.h"
#include "actor/thread_executor.h"
#include "gtest/gtest.h"

namespace {

std::atomic<int64_t> allocations{0};

[[maybe_unused]] void* Allocate(size_t bytes, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory =
      alignment == 0 ? std::malloc(bytes) : std::aligned_alloc(alignment, (bytes + alignment - 1) & -alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

// The sanitizers bring their own, and the pool is off under AddressSanitizer.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TROUPE_COUNTS_ALLOCATIONS 1
void* operator new(size_t bytes) { return Allocate(bytes, 0); }
void* operator new(size_t bytes, std::align_val_t alignment) { return Allocate(bytes, static_cast<size_t>(alignment)); }
void* operator new[](size_t bytes) { return Allocate(bytes, 0); }
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
#endif

namespace troupe {
namespace {

// Runs `rounds(n)`, which handles n messages or so, once to warm up and then three times; gives the fewest allocations
// of one of these. Of several, since a thread may need one more magazine at any time, by the chance of who frees what.
template <typename F>
int64_t FewestAllocations(F rounds) {
  rounds();
  rounds();
  int64_t fewest = INT64_MAX;
  for (int i = 0; i < 3; ++i) {
    const int64_t before = allocations.load();
    rounds();
    fewest = std::min(fewest, allocations.load() - before);
  }
  return fewest;
}

constexpr int kMessages = 20'000;
// The test's own: promises, the first message of a round, the odd magazine.
constexpr int64_t kFew = kMessages / 500;

class AllocationTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
#ifndef TROUPE_COUNTS_ALLOCATIONS
    GTEST_SKIP() << "a sanitizer's allocator counts nothing";
#endif
  }

  // What looks for stalls allocates too, but by time rather than by message.
  ThreadExecutor executor_{{.workers = GetParam(), .stall_limit = absl::InfiniteDuration()}};
  ActorSystem system_{executor_};
};

// A hop of a ball around a ring of players.
struct Ball {
  int hops_left;
  std::promise<void>* done;
};
class Player : public Actor<Player> {
 public:
  void Handle(Address<Player> next, Context&) { next_ = std::move(next); }
  void Handle(Ball ball, Context&) {
    if (ball.hops_left == 0) return ball.done->set_value();
    next_.Tell(Ball{ball.hops_left - 1, ball.done});
  }

 private:
  Address<Player> next_;
};

int64_t AllocationsOfRing(ActorSystem& system, int players) {
  std::vector<Address<Player>> ring;
  for (int i = 0; i < players; ++i) ring.push_back(system.Spawn<Player>());
  for (int i = 0; i < players; ++i) ring[i].Tell(ring[(i + 1) % players]);
  return FewestAllocations([&] {
    std::promise<void> done;
    ring[0].Tell(Ball{kMessages, &done});
    done.get_future().wait();
  });
}

TEST_P(AllocationTest, PingPongAllocatesNothing) { EXPECT_LT(AllocationsOfRing(system_, 2), kFew); }
TEST_P(AllocationTest, ARingAllocatesNothing) { EXPECT_LT(AllocationsOfRing(system_, 100), kFew); }

struct Add {};
struct Total {
  using Result = int64_t;
};
class Counter : public Actor<Counter> {
 public:
  void Handle(Add, Context&) { ++total_; }
  int64_t Handle(Total, Context&) { return total_; }

 private:
  int64_t total_ = 0;
};

TEST_P(AllocationTest, CountingAllocatesNothing) {
  Address<Counter> counter = system_.Spawn<Counter>(SpawnOptions{.mailbox_capacity = 1'000});
  EXPECT_LT(FewestAllocations([&] {
              for (int i = 0; i < kMessages; i += 500) {
                for (int k = 0; k < 500; ++k) counter.Tell(Add{});
                ASSERT_TRUE(counter.Ask(Total{}, absl::Minutes(1)).Wait().ok());
              }
            }),
            kFew);
}

TEST_P(AllocationTest, AnAskFromAThreadAllocatesNothing) {
  Address<Counter> counter = system_.Spawn<Counter>();
  EXPECT_LT(FewestAllocations([&] {
              for (int i = 0; i < kMessages / 10; ++i) {
                ASSERT_TRUE(counter.Ask(Total{}, absl::Minutes(1)).Wait().ok());
              }
            }),
            kFew);
}

struct Round {
  int left;
  std::promise<void>* done;
};
class Asker : public Actor<Asker> {
 public:
  explicit Asker(Address<Counter> counter) : counter_(std::move(counter)) {}
  void Handle(Round round, Context& context) {
    if (round.left == 0) return round.done->set_value();
    context.Then(counter_.Ask(Total{}), [round, self = context.self()](const absl::StatusOr<int64_t>&) {
      self.Tell(Round{round.left - 1, round.done});
    });
  }

 private:
  Address<Counter> counter_;
};

TEST_P(AllocationTest, AnAskBetweenActorsAllocatesNothing) {
  Address<Asker> asker = system_.Spawn<Asker>(system_.Spawn<Counter>());
  EXPECT_LT(FewestAllocations([&] {
              std::promise<void> done;
              asker.Tell(Round{kMessages / 2, &done});
              done.get_future().wait();
            }),
            kFew);
}

class Leaf : public Actor<Leaf> {
 public:
  void Handle(Ball ball, Context& context) {
    context.Stop();
    ball.done->set_value();
  }
};

TEST_P(AllocationTest, SpawnAndStopAllocateNothing) {
  EXPECT_LT(FewestAllocations([&] {
              for (int i = 0; i < 1'000; ++i) {
                std::promise<void> done;
                system_.Spawn<Leaf>().Tell(Ball{0, &done});
                done.get_future().wait();
              }
            }),
            2 * 1'000 + kFew)
      << "two a promise";
}

INSTANTIATE_TEST_SUITE_P(Workers, AllocationTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace troupe
