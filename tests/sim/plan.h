// What happens to a simulated cluster, and when: a list of lines that people write and seeds generate alike.
//
//   # virtual time, node, verb, arguments; words are separated by spaces, '#' begins a comment
//   100ms  n1  set user:1 ada
//   1.5s   n1  get user:1
//   2s     n1  kill
//   2.1s   n1  start
//
// Verbs: start; kill (as by SIGKILL); fail-disk (the node's next commit fails); isolate (nothing passes between it and
// the others); heal (all links again, whatever node the line names); set KEY VALUE; get KEY; del KEY; cas KEY OLD NEW;
// list PREFIX. A request goes to the service of the node that the line names.
//
// A plan is drawn before the run, from a stream of chance of its own, so a line can be taken out without shifting any
// other: that is how a failing run is made small. Print and Parse are each other's inverse.
#ifndef TROUPE_TESTS_SIM_PLAN_H_
#define TROUPE_TESTS_SIM_PLAN_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "actor/random.h"
#include "actor/time.h"

namespace troupe::sim {

struct PlanLine {
  Duration at;
  std::string node;
  std::string verb;
  std::vector<std::string> arguments;

  bool operator==(const PlanLine&) const = default;
};
using Plan = std::vector<PlanLine>;

// kInvalidArgument names the line at fault.
absl::StatusOr<Plan> ParsePlan(std::string_view text);
std::string PrintPlan(const Plan& plan);

struct PlanShape {
  int nodes = 1;
  int requests = 200;
  int keys = 20;
  Duration length = absl::Seconds(10);
  // Kills and disk failures, each followed by a start.
  int crashes = 4;
  // Nodes that are isolated for a while.
  int cuts = 0;
};

// All nodes are started at 0, n1 first. Values are unique, so that a read tells which write it saw. Sorted by time.
Plan DrawPlan(Random random, const PlanShape& shape);

}  // namespace troupe::sim

#endif  // TROUPE_TESTS_SIM_PLAN_H_
