// Schedules by number: run, replay, make small.
#ifndef TROUPE_TESTS_RAFT_RUNNER_H_
#define TROUPE_TESTS_RAFT_RUNNER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kvstore/raft/mutants.h"
#include "tests/raft/action.h"
#include "tests/raft/checker.h"

namespace troupe::raft {

inline constexpr int kActionsPerSchedule = 1000;

struct Failure {
  Violation violation;
  Script script;  // up to and with the action that violated it; empty unless recorded
};

struct RunOptions {
  int actions = kActionsPerSchedule;
  bool record = false;
  std::function<void(const Action&)> trace;  // called before each
  Coverage* coverage = nullptr;              // is added to
};
// Nothing: all properties held.
std::optional<Failure> RunSchedule(uint64_t seed, const RunOptions& options = {});
std::optional<Failure> RunScript(const Script& script);

// The failing seed's script with nothing left in it that is not needed to violate the same property.
Failure Shrink(const Failure& failure);

// As written in mutants.h. Nothing when there is none of that name.
std::string_view NameOf(Mutant mutant);
std::optional<Mutant> MutantNamed(std::string_view name);
inline constexpr int kMutants = static_cast<int>(Mutant::kStepDownKeepsLeading);  // without kNone

// Plants the bug and runs schedules from seed 1 on until one finds it. Nothing: `most` did not, or the time is over.
struct Found {
  uint64_t schedules;
  Violation violation;
};
std::optional<Found> FindMutant(Mutant mutant, uint64_t most, std::chrono::steady_clock::time_point deadline);

// The line that replays it.
std::string ReplayLine(uint64_t seed, Mutant mutant);

}  // namespace troupe::raft

#endif  // TROUPE_TESTS_RAFT_RUNNER_H_
