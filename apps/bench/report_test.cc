#include "apps/bench/report.h"

#include <gtest/gtest.h>

namespace troupe {
namespace {

CaseReport Runs(const std::string& name, std::vector<double> ops_per_s) {
  CaseReport report = {.name = name};
  for (const double ops : ops_per_s) {
    report.runs.push_back({.ops_per_s = ops, .p50_us = 750.25, .p99_us = 1300.5, .foreign_cpu_percent = 1.234});
  }
  return report;
}

Report SmallReport() {
  return {.machine = "2 x \"Fast\" CPU, Linux 6.1",
          .runs = 3,
          .seconds = absl::Milliseconds(500),
          .cases = {Runs("kv.set.c1", {5000, 4000, 6000}), Runs("kv.get.c64", {81865.4, 81000, 82000})},
          .ratios = {{.name = "kv.set.c1.ratio_to_fsync", .value = 0.8333}},
          .errors = 2};
}

TEST(ReportTest, AFigureStandsForItselfWithoutCases) {
  const Report report = {
      .machine = "m", .runs = 3, .figures = {{"raft.tick.ns", {.median = 7.5, .min = 7, .max = 9}, "ns"}}};
  EXPECT_EQ(ToJsonLines(report),
            "{\"name\":\"machine\",\"value\":\"m\",\"unit\":\"\"}\n"
            "{\"name\":\"raft.tick.ns\",\"value\":7.50,\"unit\":\"ns\",\"min\":7.00,\"max\":9.00}\n");
  EXPECT_NE(ToTable(report).find("raft.tick.ns  7.50 (7.00 - 9.00)\n"), std::string::npos) << ToTable(report);
}

TEST(ReportTest, ATableStandsInPlaceOfTheFiguresForPeopleOnly) {
  const Report report = {.machine = "m",
                         .figures = {{"actors.ring.ns", {.median = 7.5}, "ns"}},
                         .table = {{"figure", "ours", "holds"}, {"actors.ring.ns", "7.50", "yes"}},
                         .notes = {"not compared with caf: not installed"}};
  EXPECT_NE(ToTable(report).find("\nfigure          ours  holds\n"
                                 "actors.ring.ns  7.50    yes\n"
                                 "not compared with caf: not installed\n"),
            std::string::npos)
      << ToTable(report);
  EXPECT_EQ(ToJsonLines(report).find("figure"), std::string::npos);
}

TEST(ReportTest, MedianIsTheMiddleOneOrTheMeanOfTheMiddleTwo) {
  const Spread odd = SpreadOf({3, 1, 100});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 100);
  EXPECT_EQ(SpreadOf({4, 1, 2, 100}).median, 3);
  EXPECT_EQ(SpreadOf({}).median, 0);
}

TEST(ReportTest, FiguresAreRatesAndMicroseconds) {
  LoadResult result;
  for (int i = 0; i < 100; ++i) result.latency.Record(i < 98 ? 50'000 : 2'000'000);
  result.seconds = 0.5;
  const RunFigures figures = FiguresOf(result, 12.5);
  EXPECT_EQ(figures.ops_per_s, 200);
  EXPECT_NEAR(figures.p50_us, 50, 0.4);
  EXPECT_NEAR(figures.p99_us, 2000, 16);
  EXPECT_EQ(figures.foreign_cpu_percent, 12.5);
}

TEST(ReportTest, ARunWithoutAnyAnswerIsZeroNotInfinite) {
  EXPECT_EQ(FiguresOf(LoadResult(), 0).ops_per_s, 0);
  EXPECT_EQ(RatioOf("r", Runs("of", {5}), Runs("to", {0})).value, 0);
}

TEST(ReportTest, RatioIsThatOfTheMedians) {
  EXPECT_EQ(RatioOf("r", Runs("of", {1, 10, 100}), Runs("to", {3, 5, 4})).value, 2.5);
}

TEST(ReportTest, JsonIsOneObjectALineWithTheMachineFirst) {
  EXPECT_EQ(ToJsonLines(SmallReport()),
            R"({"name":"machine","value":"2 x \"Fast\" CPU, Linux 6.1","unit":""}
{"name":"kv.set.c1.ops_per_s","value":5000,"unit":"1/s","min":4000,"max":6000}
{"name":"kv.set.c1.p50_us","value":750.2,"unit":"us","min":750.2,"max":750.2}
{"name":"kv.set.c1.p99_us","value":1300,"unit":"us","min":1300,"max":1300}
{"name":"kv.set.c1.noise_cpu_percent","value":1.23,"unit":"%","min":1.23,"max":1.23}
{"name":"kv.get.c64.ops_per_s","value":81865,"unit":"1/s","min":81000,"max":82000}
{"name":"kv.get.c64.p50_us","value":750.2,"unit":"us","min":750.2,"max":750.2}
{"name":"kv.get.c64.p99_us","value":1300,"unit":"us","min":1300,"max":1300}
{"name":"kv.get.c64.noise_cpu_percent","value":1.23,"unit":"%","min":1.23,"max":1.23}
{"name":"kv.set.c1.ratio_to_fsync","value":0.83,"unit":"x"}
{"name":"noise.cpu_percent","value":1.23,"unit":"%","min":1.23,"max":1.23}
{"name":"errors","value":2,"unit":"1"}
)");
}

TEST(ReportTest, TableAlignsTheSameFigures) {
  EXPECT_EQ(ToTable(SmallReport()), R"(machine: 2 x "Fast" CPU, Linux 6.1
median (min - max) of 3 runs of 0.5 s

case                           ops/s                 p50 us                 p99 us         noise CPU %
kv.set.c1      5,000 (4,000 - 6,000)  750.2 (750.2 - 750.2)  1,300 (1,300 - 1,300)  1.23 (1.23 - 1.23)
kv.get.c64  81,865 (81,000 - 82,000)  750.2 (750.2 - 750.2)  1,300 (1,300 - 1,300)  1.23 (1.23 - 1.23)

kv.set.c1.ratio_to_fsync                0.83
noise.cpu_percent         1.23 (1.23 - 1.23)
errors                                     2
)");
}

}  // namespace
}  // namespace troupe
