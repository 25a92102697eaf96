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

bool IsFound(Mutant mutant, uint64_t most, Clock::time_point deadline) {
  const std::optional<Found> found = FindMutant(mutant, most, deadline);
  std::cout << "  " << std::left << std::setw(36) << NameOf(mutant) << std::right << std::setw(7);
  if (found.has_value()) {
    std::cout << found->schedules << "  " << found->violation.property << ": " << found->violation.detail << "\n";
  } else {
    std::cout << "-"
              << "  MISSED\n";
  }
  return found.has_value();
}

TEST(MutationTest, EachMutantThatIsEasyToFindIsFoundAtOnce) {
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  for (Mutant mutant :
       {Mutant::kNoNoOp, Mutant::kAckOwnLastIndex, Mutant::kAckBeforeDurable, Mutant::kVoteForgotten,
        Mutant::kTwoVotesInATerm, Mutant::kVoteIgnoresLog, Mutant::kSoleVoterKeepsTerm, Mutant::kTwoChangesUnderWay,
        Mutant::kReadWithoutQuorum, Mutant::kNonVoterVoteCounted, Mutant::kSnapshotWithoutConfiguration,
        Mutant::kConfigurationKeptAfterTruncation, Mutant::kTruncatesOnEveryAppend, Mutant::kTermRegressesOnRestart}) {
    EXPECT_TRUE(IsFound(mutant, 2000, deadline)) << NameOf(mutant);
  }
}

TEST(MutationTest, EveryMutantIsFoundWithinThreeMinutes) {
  const auto begin = Clock::now();
  int missed = 0;
  for (int i = 1; i <= kMutants; ++i) {
    const Mutant mutant = static_cast<Mutant>(i);
    if (IsFound(mutant, 200'000, begin + std::chrono::seconds(180))) continue;
    ++missed;
    ADD_FAILURE() << NameOf(mutant) << " was missed";
  }
  std::cout << "raft.mutants.count " << kMutants << "\nraft.mutants_missed.count " << missed << "\n"
            << std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count() << " s\n";
  EXPECT_GE(kMutants, 20);
}

}  // namespace
}  // namespace troupe::raft
