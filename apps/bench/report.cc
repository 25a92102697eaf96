#include "apps/bench/report.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace troupe {
namespace {

struct Column {
  const char* name;  // behind the case's name in JSON
  const char* heading;
  const char* unit;
  double RunFigures::*figure;
};

constexpr std::array<Column, 4> kColumns = {{
    {"ops_per_s", "ops/s", "1/s", &RunFigures::ops_per_s},
    {"p50_us", "p50 us", "us", &RunFigures::p50_us},
    {"p99_us", "p99 us", "us", &RunFigures::p99_us},
    {"noise_cpu_percent", "noise CPU %", "%", &RunFigures::foreign_cpu_percent},
}};

std::vector<double> ValuesOf(const CaseReport& report, double RunFigures::*figure) {
  std::vector<double> values;
  for (const RunFigures& run : report.runs) values.push_back(run.*figure);
  return values;
}

// Over all runs of all cases.
Spread NoiseOf(const Report& report) {
  std::vector<double> all;
  for (const CaseReport& one : report.cases) {
    const std::vector<double> values = ValuesOf(one, &RunFigures::foreign_cpu_percent);
    all.insert(all.end(), values.begin(), values.end());
  }
  return SpreadOf(all);
}

// More digits than a run can repeat would only look exact.
std::string Number(double value) { return absl::StrFormat("%.*f", value < 10 ? 2 : value < 1000 ? 1 : 0, value); }

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    escaped.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return escaped;
}

std::string JsonLine(const std::string& name, double value, const std::string& unit) {
  return absl::StrFormat("{\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\"}\n", name, Number(value), unit);
}

std::string JsonLine(const std::string& name, const Spread& spread, const std::string& unit) {
  return absl::StrFormat("{\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"min\":%s,\"max\":%s}\n", name,
                         Number(spread.median), unit, Number(spread.min), Number(spread.max));
}

// The first column to the left, the others to the right, two blanks between.
std::string Aligned(const std::vector<Row>& rows) {
  std::vector<int> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], static_cast<int>(row[i].size()));
  }
  std::string text;
  for (const Row& row : rows) {
    absl::StrAppendFormat(&text, "%-*s", widths[0], row[0]);
    for (size_t i = 1; i < row.size(); ++i) absl::StrAppendFormat(&text, "  %*s", widths[i], row[i]);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string Grouped(double value) {
  std::string text = Number(value);
  const size_t point = std::min(text.find('.'), text.size());
  for (size_t at = point; at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string WithSpread(const Spread& spread) {
  return absl::StrCat(Grouped(spread.median), " (", Grouped(spread.min), " - ", Grouped(spread.max), ")");
}

RunFigures FiguresOf(const LoadResult& result, double foreign_cpu_percent) {
  constexpr double kNanosPerMicro = 1000;
  const auto done = static_cast<double>(result.latency.count());
  return {.ops_per_s = result.seconds > 0 ? done / result.seconds : 0,
          .p50_us = static_cast<double>(result.latency.Percentile(50)) / kNanosPerMicro,
          .p99_us = static_cast<double>(result.latency.Percentile(99)) / kNanosPerMicro,
          .foreign_cpu_percent = foreign_cpu_percent};
}

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

Ratio RatioOf(const std::string& name, const CaseReport& of, const CaseReport& to) {
  const double divisor = SpreadOf(ValuesOf(to, &RunFigures::ops_per_s)).median;
  return {.name = name, .value = divisor > 0 ? SpreadOf(ValuesOf(of, &RunFigures::ops_per_s)).median / divisor : 0};
}

std::string ToJsonLines(const Report& report) {
  std::string text =
      absl::StrFormat("{\"name\":\"machine\",\"value\":\"%s\",\"unit\":\"\"}\n", Escaped(report.machine));
  for (const CaseReport& one : report.cases) {
    for (const Column& column : kColumns) {
      text += JsonLine(absl::StrCat(one.name, ".", column.name), SpreadOf(ValuesOf(one, column.figure)), column.unit);
    }
  }
  for (const Ratio& ratio : report.ratios) text += JsonLine(ratio.name, ratio.value, "x");
  for (const Figure& figure : report.figures) text += JsonLine(figure.name, figure.spread, figure.unit);
  if (report.cases.empty()) return text;
  text += JsonLine("noise.cpu_percent", NoiseOf(report), "%");
  absl::StrAppend(&text, "{\"name\":\"errors\",\"value\":", report.errors, ",\"unit\":\"1\"}\n");
  return text;
}

std::string ToTable(const Report& report) {
  std::vector<Row> cases = {{"case"}};
  for (const Column& column : kColumns) cases.front().push_back(column.heading);
  for (const CaseReport& one : report.cases) {
    cases.push_back({one.name});
    for (const Column& column : kColumns) cases.back().push_back(WithSpread(SpreadOf(ValuesOf(one, column.figure))));
  }
  std::vector<Row> others = report.table;
  for (const Ratio& ratio : report.ratios) others.push_back({ratio.name, Number(ratio.value)});
  if (report.table.empty()) {
    for (const Figure& figure : report.figures) others.push_back({figure.name, WithSpread(figure.spread)});
  }
  const std::string head = absl::StrCat("machine: ", report.machine, "\nmedian (min - max) of ", report.runs,
                                        " runs of ", absl::ToDoubleSeconds(report.seconds), " s\n\n");
  if (report.cases.empty()) {
    std::string text = absl::StrCat(head, Aligned(others));
    for (const std::string& note : report.notes) absl::StrAppend(&text, note, "\n");
    return text;
  }
  others.push_back({"noise.cpu_percent", WithSpread(NoiseOf(report))});
  others.push_back({"errors", absl::StrCat(report.errors)});
  return absl::StrCat(head, Aligned(cases), "\n", Aligned(others));
}

}  // namespace troupe
