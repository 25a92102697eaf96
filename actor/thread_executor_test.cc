// The real threads: nothing lost, no two turns of one actor at once. Under ThreadSanitizer in the
// gate.
#include "actor/thread_executor.h"

#include <atomic>
#include <future>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::Crash;
using testing::Note;
using testing::Notebook;

struct Add {
  int amount;
};
struct Total {
  using Result = int64_t;
};
// No atomics: the runtime promises that turns do not overlap and see each other.
class Counter : public Actor<Counter> {
 public:
  void Handle(Add add, Context&) { total_ += add.amount; }
  int64_t Handle(Total, Context&) { return total_; }

 private:
  int64_t total_ = 0;
};

TEST(ThreadExecutorTest, ManySendersLoseNothing) {
  ThreadExecutor executor({.workers = 4});
  ActorSystem system(executor);
  Address<Counter> counter = system.Spawn<Counter>(SpawnOptions{.mailbox_capacity = 100'000});
  std::vector<std::thread> senders;
  for (int s = 0; s < 4; ++s) {
    senders.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(counter.Tell(Add{1}));
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(*counter.Ask(Total{}).Wait(), 40'000);
  EXPECT_TRUE(system.Shutdown(absl::Seconds(10)).ok());
}

TEST(ThreadExecutorTest, AsksStopsAndCrashesFromManyThreadsAllEnd) {
  ThreadExecutor executor({.workers = 4});
  ActorSystem system(executor);
  std::atomic<int> ended{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&, u] {
      for (int i = 0; i < 300; ++i) {
        Address<Notebook> notebook = system.Spawn<Notebook>(SpawnOptions{.mailbox_capacity = 4});
        for (int k = 0; k < 6; ++k) notebook.Ask(testing::ReadNotes{}).Then([&](auto) { ++ended; });
        if ((i + u) % 3 == 0) notebook.Tell(Crash{});
        notebook.Ask(testing::ReadNotes{}, absl::Microseconds(50)).Then([&](auto) { ++ended; });
        notebook.Stop();
      }
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_TRUE(system.Shutdown(absl::Seconds(60)).ok());
  EXPECT_EQ(ended.load(), 4 * 300 * 7);
}

TEST(ThreadExecutorTest, TimersFireInOrderAndCancelledOnesDoNot) {
  std::mutex mutex;
  std::vector<int> fired;
  std::promise<void> done;
  auto mark = [&](int value) {
    std::lock_guard lock(mutex);
    fired.push_back(value);
  };
  ThreadExecutor executor({.workers = 1});
  Instant now = executor.Now();
  executor.RunAt(now + absl::Milliseconds(40), [&] { done.set_value(); });
  executor.RunAt(now + absl::Milliseconds(20), [&] { mark(2); });
  executor.RunAt(now + absl::Milliseconds(10), [&] { mark(1); });
  Executor::TimerId cancelled = executor.RunAt(now + absl::Milliseconds(15), [&] { mark(3); });
  EXPECT_TRUE(executor.CancelTimer(cancelled));
  EXPECT_FALSE(executor.CancelTimer(cancelled));
  done.get_future().wait();
  std::lock_guard lock(mutex);
  EXPECT_EQ(fired, (std::vector{1, 2}));
}

TEST(ThreadExecutorTest, BlockingWorkPastTheLimitIsRefused) {
  std::promise<void> started;
  std::promise<void> release;
  ThreadExecutor executor({.workers = 1, .blocking_threads = 1, .blocking_queue_limit = 1});
  ASSERT_TRUE(executor.RunBlocking([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(executor.RunBlocking([] {}));
  EXPECT_FALSE(executor.RunBlocking([] {}));
  release.set_value();
}

TEST(ThreadExecutorTest, StopEndsAnAskThatBlockingWorkWaitsFor) {
  ThreadExecutor executor({.workers = 1, .blocking_threads = 1});
  std::promise<absl::Status> ended;
  {
    ActorSystem system(executor);
    std::promise<void> asked;
    ASSERT_TRUE(executor.RunBlocking([&] {
      auto [future, reply] = MakeFuture<int>(executor, Instant::Never());
      asked.set_value();
      ended.set_value(std::move(future).Wait().status());
    }));
    asked.get_future().wait();
  }
  EXPECT_TRUE(absl::IsUnknown(ended.get_future().get()));
}

TEST(ThreadExecutorTest, ASlowDiskHoldsUpNoActor) {
  std::promise<void> release;
  ThreadExecutor executor({.workers = 1, .blocking_threads = 1});
  ActorSystem system(executor);
  ASSERT_TRUE(executor.RunBlocking([&] { release.get_future().wait(); }));
  EXPECT_TRUE(system.Spawn<Counter>().Ask(Total{}).Wait().ok());
  release.set_value();
}

}  // namespace
}  // namespace troupe
