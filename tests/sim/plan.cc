#include "tests/sim/plan.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace troupe::sim {
namespace {

// Each verb with the number of its arguments.
const std::map<std::string, size_t>& Verbs() {
  static const auto& verbs =
      *new std::map<std::string, size_t>{{"start", 0}, {"kill", 0}, {"fail-disk", 0}, {"isolate", 0}, {"heal", 0},
                                         {"set", 2},   {"get", 1},  {"del", 1},       {"cas", 3},     {"list", 1}};
  return verbs;
}

absl::StatusOr<PlanLine> ParseLine(const std::vector<std::string>& words) {
  PlanLine line;
  if (words.size() < 3) return absl::InvalidArgumentError("a line has a time, a node and a verb");
  if (!absl::ParseDuration(words[0], &line.at) || line.at < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(words[0], " is no time; write 100ms or 1.5s"));
  }
  line.node = words[1];
  line.verb = words[2];
  line.arguments.assign(words.begin() + 3, words.end());
  auto verb = Verbs().find(line.verb);
  if (verb == Verbs().end()) return absl::InvalidArgumentError(absl::StrCat("no such verb: ", line.verb));
  if (line.arguments.size() != verb->second) {
    return absl::InvalidArgumentError(absl::StrCat(line.verb, " takes ", verb->second, " arguments"));
  }
  return line;
}

}  // namespace

absl::StatusOr<Plan> ParsePlan(std::string_view text) {
  Plan plan;
  int number = 0;
  for (absl::string_view row : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    row = row.substr(0, row.find('#'));
    std::vector<std::string> words = absl::StrSplit(row, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.empty()) continue;
    absl::StatusOr<PlanLine> line = ParseLine(words);
    if (!line.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", line.status().message()));
    }
    plan.push_back(*std::move(line));
  }
  std::stable_sort(plan.begin(), plan.end(), [](const PlanLine& a, const PlanLine& b) { return a.at < b.at; });
  return plan;
}

std::string PrintPlan(const Plan& plan) {
  std::string text;
  for (const PlanLine& line : plan) {
    absl::StrAppend(&text, absl::FormatDuration(line.at), " ", line.node, " ", line.verb);
    for (const std::string& argument : line.arguments) absl::StrAppend(&text, " ", argument);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

Plan DrawPlan(Random random, const PlanShape& shape) {
  auto node = [&] { return absl::StrCat("n", 1 + random.Below(static_cast<uint64_t>(shape.nodes))); };
  Plan plan;
  for (int i = 1; i <= shape.nodes; ++i) plan.push_back({absl::ZeroDuration(), absl::StrCat("n", i), "start", {}});
  const auto length_ms = static_cast<uint64_t>(absl::ToInt64Milliseconds(shape.length));
  auto moment = [&] { return absl::Milliseconds(1 + random.Below(length_ms)); };
  for (int i = 0; i < shape.crashes; ++i) {
    const Duration at = moment();
    const std::string victim = node();
    plan.push_back({at, victim, random.PerMille(250) ? "fail-disk" : "kill", {}});
    // A node whose disk has failed goes with its next commit; a start of one that runs is nothing.
    for (int again = 1; again <= 3; ++again) {
      plan.push_back({at + absl::Milliseconds(random.Below(1000) * again), victim, "start", {}});
    }
  }
  for (int i = 0; i < shape.cuts; ++i) {
    const Duration at = moment();
    plan.push_back({at, node(), "isolate", {}});
    plan.push_back({at + absl::Milliseconds(1 + random.Below(8000)), "n1", "heal", {}});
  }
  // What was drawn for each key so far: a cas expects one of these, so that some of them hold.
  std::map<std::string, std::vector<std::string>> drawn;
  for (int i = 0; i < shape.requests; ++i) {
    const std::string key = absl::StrCat("key", random.Below(static_cast<uint64_t>(shape.keys)));
    const std::string value = absl::StrCat("value", i);
    const uint64_t kind = random.Below(10);
    PlanLine line{moment(), node(), "set", {key, value}};
    if (kind >= 9) {
      line.verb = "list";
      line.arguments = {"key"};
    } else if (kind >= 6) {
      line.verb = "get";
      line.arguments = {key};
    } else if (kind == 5) {
      line.verb = "del";
      line.arguments = {key};
    } else if (kind >= 3 && !drawn[key].empty()) {
      line.verb = "cas";
      line.arguments = {key, drawn[key][random.Below(drawn[key].size())], value};
    }
    if (line.verb == "set" || line.verb == "cas") drawn[key].push_back(value);
    plan.push_back(std::move(line));
  }
  for (int i = 1; i <= shape.nodes; ++i) {
    plan.push_back({shape.length + absl::Seconds(5), absl::StrCat("n", i), "start", {}});
  }
  if (shape.cuts > 0) plan.push_back({shape.length + absl::Seconds(5), "n1", "heal", {}});
  std::stable_sort(plan.begin(), plan.end(), [](const PlanLine& a, const PlanLine& b) { return a.at < b.at; });
  return plan;
}

}  // namespace troupe::sim
