#include "apps/bench/actors_benchmark.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "apps/bench/actors_harness.h"
#include "apps/bench/actors_peers.h"
#include "apps/bench/comparison.h"
#include "apps/bench/machine.h"

namespace troupe {
namespace {

using bench::Peer;
using bench::Program;
using bench::Setting;

struct Measured {
  explicit Measured(Program its_program)
      : program(std::move(its_program)),
        figures{.less_is_better = program.less_is_better, .must = program.must, .must_ratio = program.must_ratio} {}

  Program program;
  Comparison figures;
};

// "actors.ping_pong.ns" is "actors.ping_pong".
std::string WithoutUnit(const std::string& name) { return name.substr(0, name.rfind('.')); }

absl::Status Measure(const Setting& setting, Measured& measured) {
  const Program& program = measured.program;
  absl::StatusOr<double> ours = RunProgram(program, setting);
  if (!ours.ok()) return absl::InternalError(absl::StrCat(program.name, ": ", ours.status().message()));
  measured.figures.ours.push_back(*ours);
  if (!program.one_worker) return absl::OkStatus();
  Setting one_worker = setting;
  one_worker.workers = 1;
  ours = RunProgram(program, one_worker);
  if (!ours.ok()) return absl::InternalError(absl::StrCat(program.name, ", one worker: ", ours.status().message()));
  measured.figures.one_worker.push_back(*ours);
  return absl::OkStatus();
}

absl::Status MeasurePeer(const Peer& peer, double seconds, bool first_run, std::vector<Measured>& all) {
  std::vector<std::string> programs;
  for (const Measured& measured : all) {
    const std::string& name = measured.program.peers_name;
    if (measured.program.own_process && !first_run) continue;
    if (std::find(peer.programs.begin(), peer.programs.end(), name) != peer.programs.end()) programs.push_back(name);
  }
  absl::StatusOr<std::map<std::string, double>> figures = RunPeer(peer, programs, seconds);
  if (!figures.ok()) return figures.status();
  for (Measured& measured : all) {
    auto figure = figures->find(measured.program.peers_name);
    if (figure != figures->end()) measured.figures.peers[peer.name][peer.configuration].push_back(figure->second);
  }
  return absl::OkStatus();
}

std::string OrDash(const Spread& spread) { return spread.median == 0 ? "-" : Grouped(spread.median); }

Row RowOf(const Measured& measured) {
  const Program& program = measured.program;
  Row row = {program.name, WithSpread(SpreadOf(measured.figures.ours)), OrDash(SpreadOf(measured.figures.one_worker)),
             OrDash(measured.figures.PeersBest("erlang")), OrDash(measured.figures.PeersBest("caf"))};
  const double ratio = measured.figures.Ratio();
  row.push_back(ratio == 0 ? "-" : absl::StrFormat("%.1f", ratio));
  if (program.must == 0) {
    row.insert(row.end(), {"", ""});
    return row;
  }
  std::string must = absl::StrCat(program.less_is_better ? "<= " : ">= ", Grouped(program.must));
  if (program.must_ratio > 0) absl::StrAppend(&must, " or ", program.must_ratio, " x");
  row.insert(row.end(), {must, measured.figures.holds() ? "yes" : "NO"});
  return row;
}

void AddTo(const Measured& measured, Report& report) {
  const Program& program = measured.program;
  report.figures.push_back({program.name, SpreadOf(measured.figures.ours), program.unit});
  if (!measured.figures.one_worker.empty()) {
    report.figures.push_back({program.name + ".w1", SpreadOf(measured.figures.one_worker), program.unit});
  }
  for (const auto& [peer, by_configuration] : measured.figures.peers) {
    report.figures.push_back({absl::StrCat(program.name, ".", peer), measured.figures.PeersBest(peer), program.unit});
  }
  if (const double ratio = measured.figures.Ratio(); ratio > 0) {
    report.figures.push_back({WithoutUnit(program.name) + ".ratio", SpreadOf({ratio}), "x"});
  }
  report.table.push_back(RowOf(measured));
}

}  // namespace

absl::StatusOr<Report> RunActorsBenchmark(const BenchConfig& config, const std::atomic<bool>& stop) {
  Setting setting{.seconds = absl::ToDoubleSeconds(config.seconds) / 5, .quick = config.quick};
  if (config.quick) setting.seconds = 0.01;
  const int runs = config.quick ? 1 : config.runs;
  std::vector<Measured> all;
  for (const auto& programs : {bench::FigurePrograms(), bench::SavinaPrograms(), bench::ServicePrograms()}) {
    for (const Program& program : programs) all.emplace_back(program);
  }
  const std::vector<Peer> peers = config.peers.empty() ? std::vector<Peer>() : bench::PeersIn(config.peers);
  for (Measured& measured : all) {
    for (int run = 0; run < runs && measured.program.own_process; ++run) {
      if (stop) return absl::CancelledError("interrupted");
      if (absl::Status status = Measure(setting, measured); !status.ok()) return status;
    }
  }
  // While ours run, whatever else does is foreign.
  std::vector<double> foreign;
  for (int run = 0; run < runs; ++run) {
    ForeignCpu foreign_cpu({});
    for (Measured& measured : all) {
      if (stop) return absl::CancelledError("interrupted");
      if (measured.program.own_process) continue;
      if (absl::Status status = Measure(setting, measured); !status.ok()) return status;
    }
    foreign.push_back(foreign_cpu.Percent());
    for (const Peer& peer : peers) {
      if (stop) return absl::CancelledError("interrupted");
      if (absl::Status status = MeasurePeer(peer, setting.seconds, run == 0, all); !status.ok()) return status;
    }
  }
  const Spread noise = SpreadOf(foreign);
  Report report{.machine = absl::StrCat(DescribeMachine(), "; other processes took ", Grouped(noise.median), " % (",
                                        Grouped(noise.max), " % at most) of a core beside it"),
                .runs = runs,
                .seconds = absl::Seconds(setting.seconds)};
  report.table.push_back({"figure", "ours", "1 worker", "Erlang", "CAF", "ratio", "must reach", "holds"});
  for (const Measured& measured : all) AddTo(measured, report);
  report.figures.push_back({"actors.noise.cpu_percent", noise, "%"});
  if (config.quick) report.notes.push_back("quick: too short for the figures to mean anything");
  for (const char* peer : {"erlang", "caf"}) {
    const bool there = std::any_of(peers.begin(), peers.end(), [&](const Peer& p) { return p.name == peer; });
    if (!there && !config.quick) report.notes.push_back(absl::StrCat("not compared with ", peer, ": not installed"));
  }
  return report;
}

}  // namespace troupe
