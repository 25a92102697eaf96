#include "tests/raft/runner.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/raft/action_cluster.h"
#include "tests/raft/schedule.h"

namespace troupe::raft {
namespace {

constexpr std::string_view kMutantNames[] = {
    "kNone",
    "kCommitOldTermByCounting",
    "kNoNoOp",
    "kAckOwnLastIndex",
    "kCommitNotCappedToMessage",
    "kAckBeforeDurable",
    "kVoteBeforeDurable",
    "kLeaderCountsUnsyncedSelf",
    "kVoteForgotten",
    "kTwoVotesInATerm",
    "kVoteIgnoresLog",
    "kVoteIgnoresLogLength",
    "kSoleVoterKeepsTerm",
    "kTwoChangesUnderWay",
    "kChangeBeforeOwnTermCommit",
    "kReadWithoutQuorum",
    "kReadWithoutOwnTermCommit",
    "kReadRoundReused",
    "kNonVoterVoteCounted",
    "kNonVoterAckCounted",
    "kNonVoterReadAckCounted",
    "kSnapshotWithoutConfiguration",
    "kConfigurationKeptAfterTruncation",
    "kPersistAckOfAnotherTerm",
    "kMatchOnIndexOnly",
    "kTruncatesOnEveryAppend",
    "kTermRegressesOnRestart",
    "kAppliesBeforeDurable",
    "kStepDownKeepsLeading",
};
static_assert(std::size(kMutantNames) == kMutants + 1);

bool NamesMessage(ActionKind kind) { return kind <= ActionKind::kDrop; }

// The property that the script violates first, or nothing. Cuts the script after that.
std::optional<Violation> Violated(Script& script) {
  try {
    ActionCluster cluster(script.shape);
    std::vector<Action> applied;
    for (const Action& action : script.actions) {
      applied.push_back(action);
      try {
        if (!cluster.Do(action)) applied.pop_back();
      } catch (const Violation&) {
        script.actions = std::move(applied);
        throw;
      }
    }
  } catch (const Violation& violation) {
    return violation;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Failure> RunSchedule(uint64_t seed, const RunOptions& options) {
  Script script{.shape = DrawShape(seed)};
  try {
    ActionCluster cluster(script.shape);
    Schedule schedule(seed);
    for (int done = 0, tries = 0; done < options.actions && tries < 8 * options.actions; ++tries) {
      Action action = schedule.Next(cluster);
      if (options.record || options.trace) {
        if (NamesMessage(action.kind) && action.slot < static_cast<int>(cluster.messages().size())) {
          action.message = KeyOf(cluster.messages()[static_cast<size_t>(action.slot)]);
        }
        script.actions.push_back(action);
        if (options.trace) options.trace(action);
      }
      if (cluster.Do(action)) {
        ++done;
      } else if (options.record) {
        script.actions.pop_back();
      }
    }
    if (options.coverage != nullptr) *options.coverage += cluster.coverage();
  } catch (const Violation& violation) {
    for (Action& action : script.actions) action.slot = -1;
    return Failure{violation, std::move(script)};
  }
  return std::nullopt;
}

std::optional<Failure> RunScript(const Script& script) {
  Failure failure{.script = script};
  std::optional<Violation> violation = Violated(failure.script);
  if (!violation.has_value()) return std::nullopt;
  failure.violation = *std::move(violation);
  return failure;
}

// Zeller's ddmin over the actions: takes out ever smaller pieces, as long as the same property is still violated.
Failure Shrink(const Failure& failure) {
  Failure best = failure;
  const auto still_fails = [&best](std::vector<Action> actions) {
    std::optional<Failure> smaller = RunScript({best.script.shape, std::move(actions)});
    if (!smaller.has_value() || smaller->violation.property != best.violation.property) return false;
    best = *std::move(smaller);
    return true;
  };
  // Messages that are named by what they say may not be those that were meant; then there is nothing to do.
  if (!still_fails(failure.script.actions)) return failure;
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t piece = std::max<size_t>(1, best.script.actions.size() / 2); piece > 0; piece /= 2) {
      for (size_t begin = 0; begin < best.script.actions.size();) {
        const std::vector<Action>& actions = best.script.actions;
        std::vector<Action> rest(actions.begin(), actions.begin() + static_cast<std::ptrdiff_t>(begin));
        const size_t end = std::min(actions.size(), begin + piece);
        rest.insert(rest.end(), actions.begin() + static_cast<std::ptrdiff_t>(end), actions.end());
        if (still_fails(std::move(rest))) {
          smaller = true;
        } else {
          begin += piece;
        }
      }
    }
  }
  return best;
}

std::string_view NameOf(Mutant mutant) { return kMutantNames[static_cast<size_t>(mutant)]; }

std::optional<Mutant> MutantNamed(std::string_view name) {
  const auto found = std::find(std::begin(kMutantNames), std::end(kMutantNames), name);
  if (found == std::end(kMutantNames)) return std::nullopt;
  return static_cast<Mutant>(found - std::begin(kMutantNames));
}

std::optional<Found> FindMutant(Mutant mutant, uint64_t most, std::chrono::steady_clock::time_point deadline) {
  planted_mutant = mutant;
  std::optional<Failure> failure;
  uint64_t seed = 0;
  while (!failure.has_value() && seed < most && std::chrono::steady_clock::now() < deadline) {
    failure = RunSchedule(++seed);
  }
  planted_mutant = Mutant::kNone;
  if (!failure.has_value()) return std::nullopt;
  return Found{seed, std::move(failure->violation)};
}

std::string ReplayLine(uint64_t seed, Mutant mutant) {
  std::string line = absl::StrCat("./run check-raft --seed=", seed);
  if (mutant != Mutant::kNone) line += " --mutant=" + std::string(NameOf(mutant));
  return line;
}

}  // namespace troupe::raft
