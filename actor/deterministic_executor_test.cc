// The same seed is the same run; another seed is another order.
#include "actor/deterministic_executor.h"

#include <set>

#include "actor/actor.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using testing::Note;
using testing::Notebook;
using testing::ReadNotes;
using testing::TestSystem;

// Several actors write to one notebook; what stands in it shows the order in which they ran.
struct Begin {};
class Writer : public Actor<Writer> {
 public:
  Writer(std::string name, Address<Notebook> notebook) : name_(std::move(name)), notebook_(std::move(notebook)) {}
  void Handle(Begin, Context& context) {
    notebook_.Tell(Note{name_});
    context.RunBlocking([] { return absl::OkStatus(); }, [this](absl::Status) { notebook_.Tell(Note{name_ + "'"}); });
  }

 private:
  std::string name_;
  Address<Notebook> notebook_;
};

struct RunResult {
  std::vector<std::string> notes;
  uint64_t trace_hash;
  bool operator==(const RunResult&) const = default;
};

RunResult RunWith(uint64_t seed) {
  TestSystem test(seed);
  Address<Notebook> notebook = test.system.Spawn<Notebook>();
  for (std::string name : {"ann", "bob", "cid"}) test.system.Spawn<Writer>(name, notebook).Tell(Begin{});
  test.simulator.RunFor(absl::Seconds(1));
  std::vector<std::string> notes = *test.Await(notebook.Ask(ReadNotes{}));
  return RunResult{notes, test.simulator.trace_hash()};
}

TEST(SimulatorTest, OneSeedIsOneRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(RunWith(seed), RunWith(seed)) << "seed " << seed;
}

TEST(SimulatorTest, SeedsDifferInOrderAndTrace) {
  std::set<std::vector<std::string>> orders;
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    RunResult run = RunWith(seed);
    EXPECT_EQ(run.notes.size(), 6u);
    orders.insert(run.notes);
    hashes.insert(run.trace_hash);
  }
  EXPECT_GT(orders.size(), 10u);
  EXPECT_EQ(hashes.size(), 50u);
}

TEST(SimulatorTest, TimeMovesToTheEarliestEventAndTiesAreShuffled) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Simulator simulator(seed);
    std::string order;
    auto at = [&](int second, char mark) {
      simulator.At(Instant() + absl::Seconds(second), 0, Simulator::Kind::kEvent, [&order, mark] { order += mark; });
    };
    at(2, 'c');
    at(1, 'a');
    at(1, 'b');
    simulator.RunFor(absl::Seconds(5));
    EXPECT_EQ(order.back(), 'c');
    EXPECT_EQ(simulator.Now(), Instant() + absl::Seconds(5));
    orders.insert(order);
  }
  EXPECT_THAT(orders, ElementsAre("abc", "bac"));
}

TEST(SimulatorTest, AnEventThatIsDueMayOvertakeATurnThatIsReady) {
  std::set<bool> handled;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    TestSystem test(seed);
    Address<Notebook> notebook = test.system.Spawn<Notebook>();
    test.Settle();
    const Instant when = test.simulator.Now() + absl::Seconds(1);
    // Whichever of the two comes first. The one makes an actor ready, the other looks whether it had its turn.
    auto info = [&] { return test.system.Find(notebook.id())->Info(); };
    for (int i = 0; i < 2; ++i) {
      test.simulator.At(when, 0, Simulator::Kind::kEvent, [&] {
        if (info().mailbox_depth == 0 && info().handled == 0) {
          notebook.Tell(Note{"1"});
        } else {
          handled.insert(info().handled == 1);
        }
      });
    }
    test.RunFor(absl::Seconds(2));
  }
  EXPECT_THAT(handled, ElementsAre(false, true));
}

TEST(SimulatorTest, ADroppedNodeDoesNothingMore) {
  Simulator simulator(1);
  int fired = 0;
  for (uint32_t node : {1, 2}) {
    simulator.At(Instant() + absl::Seconds(1), node, Simulator::Kind::kEvent, [&] { ++fired; });
  }
  simulator.DropNode(1);
  simulator.RunFor(absl::Seconds(2));
  EXPECT_EQ(fired, 1);
}

TEST(RandomTest, IsTheSameOnEveryMachine) {
  Random random(7);
  EXPECT_EQ(random.Next(), 7191089600892374487u);
  EXPECT_EQ(Random(7).Split("links").Next(), Random(7).Split("links").Next());
  EXPECT_NE(Random(7).Split("links").Next(), Random(7).Split("disks").Next());
}

TEST(RandomTest, BelowStaysBelowAndReachesAll) {
  Random random(3);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.Below(6));
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace troupe
