#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "apps/cli/run.h"
#include "apps/cli/text.h"

namespace troupe {
namespace {

using Effect = Printer::Effect;

std::string Slots(const KvApi::Shard& shard) { return absl::StrFormat("%04x-%04x", shard.first_slot, shard.last_slot); }

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Harmless(text); }

void PrintShardJson(Run run, const KvApi::Shard& shard, uint64_t epoch) {
  std::vector<std::string> copies;
  for (const std::string& copy : shard.copies) copies.push_back(JsonString(copy));
  JsonObject json;
  json.Number("shard", shard.id).Number("first_slot", shard.first_slot).Number("last_slot", shard.last_slot);
  json.Text("leader", shard.leader).Raw("copies", JsonArray(copies)).Id("revision", shard.revision);
  run.print.Line(json.Bool("serving", shard.serving).Id("epoch", epoch).ToString());
}

void PrintMemberJson(Run run, const KvApi::Member& member) {
  JsonObject json;
  json.Text("name", member.name).Text("state", member.state).Text("address", member.address);
  json.Text("node_id", member.node_id).Id("generation", member.generation).Id("incarnation", member.incarnation);
  run.print.Line(
      json.Number("since_seconds", static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Seconds(member.since))))
          .ToString());
}

void PrintActorJson(Run run, const KvApi::ActorInfo& actor) {
  JsonObject json;
  json.Id("id", actor.id).Text("name", actor.name).Text("type", actor.type).Text("node", actor.node);
  json.Text("state", actor.state).Id("parent_id", actor.parent_id).Number("mailbox_depth", actor.mailbox_depth);
  json.Number("mailbox_capacity", actor.mailbox_capacity).Id("handled", actor.handled);
  run.print.Line(json.Number("restarts", actor.restarts).Text("last_failure", actor.last_failure).ToString());
}

// Rows for people, or the same cells apart by tabs for programs.
void AddRow(Run run, Table& table, std::vector<std::string> row, Table::Tone tone = Table::Tone::kPlain) {
  if (run.print.format() == Format::kTable) {
    table.Add(std::move(row), tone);
  } else {
    run.print.Line(absl::StrJoin(row, "\t"));
  }
}

Table::Tone ToneOf(const std::string& state) {
  if (state == "suspect") return Table::Tone::kWarning;
  return state == "dead" ? Table::Tone::kAlarm : Table::Tone::kPlain;
}

void PrintActor(Run run, Table& table, const KvApi::ActorInfo& actor) {
  if (run.print.format() == Format::kJson) {
    PrintActorJson(run, actor);
    return;
  }
  std::vector<std::string> row = {OrDash(actor.node),
                                  absl::StrCat(actor.id),
                                  OrDash(actor.name),
                                  OrDash(actor.type),
                                  actor.state,
                                  absl::StrCat(actor.mailbox_depth, "/", actor.mailbox_capacity),
                                  absl::StrCat(actor.handled),
                                  absl::StrCat(actor.restarts)};
  if (!actor.last_failure.empty()) row.push_back(Harmless(actor.last_failure));
  AddRow(run, table, std::move(row));
}

std::string StatusJson(const KvApi::ClusterStatus& status) {
  std::vector<std::string> problems;
  for (const KvApi::Problem& problem : status.problems) {
    JsonObject json;
    problems.push_back(json.Text("summary", problem.summary).Text("remedy", problem.remedy).ToString());
  }
  const KvApi::Node& node = status.node;
  JsonObject answered;
  answered.Text("name", node.name).Text("node_id", node.node_id).Id("generation", node.generation);
  answered.Text("address", node.address).Text("version", node.version);
  answered.Number("uptime_seconds", static_cast<uint64_t>(absl::ToInt64Seconds(node.uptime)));
  answered.Text("data_dir", node.data_dir).Number("format", node.format);
  JsonObject json;
  json.Text("cluster_id", status.cluster_id).Text("health", status.healthy ? "ok" : "degraded");
  json.Raw("problems", JsonArray(problems)).Raw("node", answered.ToString());
  json.Number("nodes", status.nodes).Number("nodes_alive", status.nodes_alive);
  json.Number("nodes_may_fail", status.nodes_may_fail).Number("shards", status.shards);
  json.Number("shards_serving", status.shards_serving).Number("copies_per_shard", status.copies_per_shard);
  json.Id("approximate_keys", status.approximate_keys).Id("approximate_bytes", status.approximate_bytes);
  json.Id("actors", status.actors).Id("actor_restarts", status.actor_restarts);
  return json.Id("dead_letters", status.dead_letters).ToString();
}

std::string Tolerance(uint64_t nodes_may_fail, uint64_t copies, std::string_view of) {
  return absl::StrCat(Counted(nodes_may_fail, "node", "nodes"),
                      " may fail: ", copies == 1 ? "one copy" : Counted(copies, "copy", "copies"), " of ", Absl(of));
}

// A shard needs a majority of its copies.
std::string Tolerance(const KvApi::ShardMap& map) {
  size_t least = SIZE_MAX;
  size_t most = 0;
  for (const KvApi::Shard& shard : map.shards) {
    least = std::min(least, shard.copies.size());
    most = std::max(most, shard.copies.size());
  }
  return Tolerance(least == 0 ? 0 : (least - 1) / 2, least, least == most ? "each shard" : "some shards");
}

std::string Data(const KvApi::ClusterStatus& status) {
  const std::string serving =
      status.shards_serving == status.shards ? "all serving" : absl::StrCat(status.shards_serving, " of them serving");
  return absl::StrCat(Counted(status.shards, "shard", "shards"), " x ",
                      Counted(status.copies_per_shard, "copy", "copies"), ", ", serving, ", ",
                      SizeText(status.approximate_bytes), ", about ", Counted(status.approximate_keys, "key", "keys"));
}

std::vector<std::pair<std::string_view, std::string>> StatusLines(const KvApi::ClusterStatus& status) {
  const KvApi::Node& node = status.node;
  const std::string place = node.data_dir.empty()
                                ? "data in memory"
                                : absl::StrCat("data in ", Harmless(node.data_dir), " (format ", node.format, ")");
  std::vector<std::pair<std::string_view, std::string>> lines = {
      {"Cluster", absl::StrCat(Harmless(status.cluster_id), ", ", Counted(status.nodes, "node", "nodes"), ", ",
                               status.nodes_alive, " alive")},
      {"Health", status.healthy ? "ok" : "degraded"},
      {"Tolerance", Tolerance(status.nodes_may_fail, status.copies_per_shard, "each shard")},
      {"Data", Data(status)},
      {"Node", absl::StrCat(Harmless(node.name), " at ", Harmless(node.address), ", version ", Harmless(node.version),
                            ", up ", DurationText(node.uptime), ", start ", node.generation, ", ", place)},
      {"Actors", absl::StrCat(Grouped(status.actors), " alive, ", Counted(status.actor_restarts, "restart", "restarts"),
                              ", ", Counted(status.dead_letters, "dead letter", "dead letters"))},
  };
  for (const KvApi::Problem& problem : status.problems) {
    lines.push_back({"Problem", Harmless(problem.summary)});
    if (!problem.remedy.empty()) lines.push_back({"  remedy", Harmless(problem.remedy)});
  }
  return lines;
}

}  // namespace

ExitCode RunMembers(Run run) {
  const auto list = run.api.ListMembers(run.invocation.settings.timeout);
  if (!list.ok()) return run.print.Failed(list.status(), Effect::kReads);
  Table table({{"NAME"}, {"STATE"}, {"ADDRESS"}, {"GENERATION", true}, {"SINCE", true}});
  for (const KvApi::Member& member : list->members) {
    if (run.print.format() == Format::kJson) {
      PrintMemberJson(run, member);
      continue;
    }
    std::vector<std::string> row = {OrDash(member.name), member.state, OrDash(member.address),
                                    absl::StrCat(member.generation), DurationText(member.since)};
    if (run.print.format() == Format::kTable && member.name == list->asked) row.push_back("asked");
    AddRow(run, table, std::move(row), ToneOf(member.state));
  }
  table.Print(run.print);
  return ExitCode::kDone;
}

ExitCode RunShards(Run run) {
  const auto map = run.api.GetShardMap(run.invocation.settings.timeout);
  if (!map.ok()) return run.print.Failed(map.status(), Effect::kReads);
  // No shard has the largest number there is, so it can stand for all.
  uint64_t only = UINT64_MAX;
  const bool all = run.invocation.arguments.empty() || !absl::SimpleAtoi(run.invocation.arguments[0].text, &only);
  Table table({{"SHARD", true}, {"SLOTS"}, {"LEADER"}, {"COPIES"}, {"REVISION", true}});
  bool found = false;
  for (const KvApi::Shard& shard : map->shards) {
    if (!all && shard.id != only) continue;
    found = true;
    if (run.print.format() == Format::kJson) {
      PrintShardJson(run, shard, map->epoch);
      continue;
    }
    std::vector<std::string> row = {absl::StrCat(shard.id), Slots(shard), OrDash(shard.leader),
                                    OrDash(absl::StrJoin(shard.copies, " ")), absl::StrCat(shard.revision)};
    if (!shard.serving) row.push_back("not serving");
    AddRow(run, table, std::move(row));
  }
  table.Print(run.print);
  if (all && found && run.print.format() == Format::kTable) run.print.Note(Tolerance(*map));
  if (found || all) return ExitCode::kDone;
  run.print.Note(absl::StrCat("no: there is no shard ", only, " among the ", map->shards.size()));
  return ExitCode::kNo;
}

ExitCode RunActors(Run run) {
  KvApi::ActorQuery query;
  if (!run.invocation.arguments.empty()) query.name_prefix = run.invocation.arguments[0].text;
  if (run.invocation.Has("--node")) query.node = run.invocation.flags.find("--node")->second.text;
  Table table({{"NODE"},
               {"ID", true},
               {"NAME"},
               {"TYPE"},
               {"STATE"},
               {"MAILBOX", true},
               {"HANDLED", true},
               {"RESTARTS", true}});
  std::set<std::string> unreachable;
  while (true) {
    const auto page = run.api.ListActors(query, run.invocation.settings.timeout);
    if (!page.ok()) return run.print.Failed(page.status(), Effect::kReads);
    for (const KvApi::ActorInfo& actor : page->actors) PrintActor(run, table, actor);
    table.Print(run.print);
    unreachable.insert(page->unreachable_nodes.begin(), page->unreachable_nodes.end());
    if (page->next_page_token.empty()) break;
    if (page->next_page_token == query.page_token) {
      return run.print.Error("the server gives the same page again and again", ExitCode::kRefused);
    }
    query.page_token = page->next_page_token;
  }
  if (unreachable.empty()) return ExitCode::kDone;
  const std::string text = absl::StrCat(Harmless(absl::StrJoin(unreachable, ", ")), " cannot be asked now; ",
                                        unreachable.size() == 1 ? "its" : "their", " actors are missing here");
  // One that was asked for by name is all of the answer.
  if (!query.node.empty()) return run.print.Error(text, ExitCode::kUnavailable);
  run.print.Note(absl::StrCat("note: ", text));
  return ExitCode::kDone;
}

ExitCode RunStatus(Run run) {
  const auto status = run.api.GetStatus(run.invocation.settings.timeout);
  if (!status.ok()) return run.print.Failed(status.status(), Effect::kReads);
  if (run.print.format() == Format::kJson) {
    run.print.Line(StatusJson(*status));
  } else {
    for (const auto& [name, text] : StatusLines(*status)) {
      run.print.Line(run.print.format() == Format::kTable
                         ? absl::StrCat(run.print.Heading(absl::StrFormat("%-9s", std::string(name))), "  ", text)
                         : absl::StrCat(Absl(name), "\t", text));
    }
  }
  return status->healthy ? ExitCode::kDone : ExitCode::kUnhealthy;
}

}  // namespace troupe
