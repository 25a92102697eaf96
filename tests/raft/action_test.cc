// Any order of messages, writes, crashes and timeouts leaves every property of Raft standing; and the means to see that
// work: a seed is a schedule, a failing one is made small, a script replays it.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "kvstore/raft/mutants.h"
#include "tests/raft/runner.h"

namespace troupe::raft {
namespace {

// More of them in the gate.
uint64_t Schedules() {
  const char* text = std::getenv("TROUPE_SCHEDULES");
  return text == nullptr ? 4000 : std::strtoull(text, nullptr, 10);
}

TEST(ActionTest, NoScheduleViolatesAProperty) {
  const uint64_t schedules = Schedules();
  std::atomic<uint64_t> next{1};
  std::mutex mutex;
  Coverage coverage;
  std::string violations;
  const auto work = [&] {
    Coverage mine;
    for (uint64_t seed = next++; seed <= schedules; seed = next++) {
      const std::optional<Failure> failure = RunSchedule(seed, {.coverage = &mine});
      if (!failure.has_value()) continue;
      std::lock_guard lock(mutex);
      violations += failure->violation.property + ": " + failure->violation.detail + "\n  " +
                    ReplayLine(seed, Mutant::kNone) + "\n";
    }
    std::lock_guard lock(mutex);
    coverage += mine;
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(violations, "");
  // A scheduler that does nothing finds nothing, too.
  EXPECT_GT(coverage.leaders, 8 * schedules);
  EXPECT_GT(coverage.committed, 25 * schedules);
  EXPECT_GT(coverage.acknowledged, 12 * schedules);
  EXPECT_GT(coverage.reads, 4 * schedules);
  EXPECT_GT(coverage.changes, 3 * schedules);
  EXPECT_GT(coverage.replaced, schedules);
  EXPECT_GT(coverage.snapshots, schedules / 2);
  EXPECT_GT(coverage.restarts, 15 * schedules);
}

std::string ActionsOf(uint64_t seed) {
  std::string text;
  const auto failure = RunSchedule(seed, {.trace = [&text](const Action& action) { text += Print(action) + "\n"; }});
  EXPECT_FALSE(failure.has_value());
  return text;
}

TEST(ActionTest, TheSameSeedIsTheSameScheduleToTheLastAction) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(ActionsOf(seed), ActionsOf(seed)) << "seed " << seed;
  EXPECT_NE(ActionsOf(1), ActionsOf(2));
}

// Plants a bug for as long as it lives.
class Planting {
 public:
  explicit Planting(Mutant mutant) { planted_mutant = mutant; }
  ~Planting() { planted_mutant = Mutant::kNone; }
};

TEST(ActionTest, AFailingSeedIsMadeSmallAndItsScriptReplaysIt) {
  const Planting planting(Mutant::kVoteForgotten);
  std::optional<Failure> failure;
  for (uint64_t seed = 1; !failure.has_value(); ++seed) {
    ASSERT_LE(seed, 100u);
    failure = RunSchedule(seed, {.record = true});
  }

  const Failure small = Shrink(*failure);

  EXPECT_LE(small.script.actions.size(), 40u);
  EXPECT_LT(small.script.actions.size(), failure->script.actions.size());
  const std::string text = Print(small.script);
  const std::optional<Script> script = ParseScript(text);
  ASSERT_TRUE(script.has_value()) << text;
  EXPECT_EQ(Print(*script), text);
  const std::optional<Failure> replayed = RunScript(*script);
  ASSERT_TRUE(replayed.has_value()) << text;
  EXPECT_EQ(replayed->violation.property, failure->violation.property);
}

TEST(ActionTest, AScriptWithAWordThatIsNoneIsRefused) {
  EXPECT_TRUE(ParseScript("cluster voters=3 replicas=3  # a comment\n\ncampaign replica=1\n").has_value());
  EXPECT_FALSE(ParseScript("champaign replica=1\n").has_value());
  EXPECT_FALSE(ParseScript("deliver nothing from=1 to=2\n").has_value());
  EXPECT_FALSE(ParseScript("tick replica=one\n").has_value());
}

}  // namespace
}  // namespace troupe::raft
