#ifndef TROUPE_APPS_BENCH_REPORT_H_
#define TROUPE_APPS_BENCH_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "apps/bench/load_result.h"

namespace troupe {

struct RunFigures {
  double ops_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
  double foreign_cpu_percent = 0;  // of one core
};

RunFigures FiguresOf(const LoadResult& result, double foreign_cpu_percent);

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

// All 0 without values. Of an even number of values the median is the mean of the middle two.
Spread SpreadOf(std::vector<double> values);

struct CaseReport {
  std::string name;              // "kv.set.c64"
  std::vector<RunFigures> runs;  // at least one
};

// How many times the operations per second of `of` are those of `to`, by their medians.
struct Ratio {
  std::string name;  // "kv.set.c1.ratio_to_fsync"
  double value = 0;
};
Ratio RatioOf(const std::string& name, const CaseReport& of, const CaseReport& to);

// One that stands for itself.
struct Figure {
  std::string name;  // "raft.tick.ns"
  Spread spread;     // over the runs
  std::string unit;
};

// Cells of one line of a table for people.
using Row = std::vector<std::string>;

struct Report {
  std::string machine;
  int runs = 0;
  absl::Duration seconds;  // of one run
  std::vector<CaseReport> cases;
  std::vector<Ratio> ratios;
  std::vector<Figure> figures;
  // For people in place of the figures, when these are many to a line. The first row is the headings.
  std::vector<Row> table;
  // Lines below it.
  std::vector<std::string> notes;
  uint64_t errors = 0;
};

// "81,865", "0.13": with no more digits than a run can repeat.
std::string Grouped(double value);
// Grouped, with the least and the greatest.
std::string WithSpread(const Spread& spread);

// One object a line; the machine's is the first, and its value alone is a string.
std::string ToJsonLines(const Report& report);

// For reading: the same figures in columns.
std::string ToTable(const Report& report);

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_REPORT_H_
