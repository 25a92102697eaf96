// The proof of the proof: each bug of mutants.h, planted, must be found by the schedules. Prints for each how many that
// took and what it violated.
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "kvstore/raft/mutants.h"
#include "tests/raft/runner.h"

namespace troupe::raft {
namespace {

using Clock = std::chrono::steady_clock;

// Schedules from seed 1 on until one finds it; 0 when none did.
uint64_t SchedulesToFind(Mutant mutant, uint64_t most, Clock::time_point deadline) {
  planted_mutant = mutant;
  std::optional<Failure> failure;
  uint64_t seed = 0;
  while (!failure.has_value() && seed < most && Clock::now() < deadline) failure = RunSchedule(++seed);
  planted_mutant = Mutant::kNone;
  std::cout << "  " << std::left << std::setw(36) << NameOf(mutant) << std::right << std::setw(7) << seed;
  if (!failure.has_value()) {
    std::cout << "  MISSED\n";
    return 0;
  }
  std::cout << "  " << failure->violation.property << ": " << failure->violation.detail << "\n";
  return seed;
}

TEST(MutationTest, EachMutantThatIsEasyToFindIsFoundAtOnce) {
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  for (Mutant mutant :
       {Mutant::kNoNoOp, Mutant::kAckOwnLastIndex, Mutant::kAckBeforeDurable, Mutant::kVoteForgotten,
        Mutant::kTwoVotesInATerm, Mutant::kVoteIgnoresLog, Mutant::kSoleVoterKeepsTerm, Mutant::kTwoChangesUnderWay,
        Mutant::kReadWithoutQuorum, Mutant::kNonVoterVoteCounted, Mutant::kSnapshotWithoutConfiguration,
        Mutant::kConfigurationKeptAfterTruncation, Mutant::kTruncatesOnEveryAppend, Mutant::kTermRegressesOnRestart}) {
    EXPECT_NE(SchedulesToFind(mutant, 2000, deadline), 0u) << NameOf(mutant);
  }
}

TEST(MutationTest, EveryMutantIsFoundWithinThreeMinutes) {
  const auto begin = Clock::now();
  int missed = 0;
  for (int i = 1; i <= kMutants; ++i) {
    const Mutant mutant = static_cast<Mutant>(i);
    if (SchedulesToFind(mutant, 200'000, begin + std::chrono::seconds(180)) != 0) continue;
    ++missed;
    ADD_FAILURE() << NameOf(mutant) << " was missed";
  }
  std::cout << "raft.mutants.count " << kMutants << "\nraft.mutants_missed.count " << missed << "\n"
            << std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count() << " s\n";
  EXPECT_GE(kMutants, 20);
}

}  // namespace
}  // namespace troupe::raft
