#ifndef TROUPE_APPS_BENCH_COMPARISON_H_
#define TROUPE_APPS_BENCH_COMPARISON_H_

#include <map>
#include <string>
#include <vector>

#include "apps/bench/report.h"

namespace troupe {

// One figure of ours beside what it must reach and what other runtimes reach; a value for each run.
struct Comparison {
  bool less_is_better = true;
  // The figure itself, or in its place so many times as good as the better peer. 0: none.
  double must = 0;
  double must_ratio = 0;
  std::vector<double> ours = {};
  std::vector<double> one_worker = {};
  // By the peer's name, then by its configuration.
  std::map<std::string, std::map<std::string, std::vector<double>>> peers = {};

  // In the configuration with the best median; all 0 when there is none.
  Spread PeersBest(const std::string& peer) const;
  // How many times as good as the better peer our median is; 0 without one.
  double Ratio() const;
  bool holds() const;

 private:
  bool Better(double a, double b) const { return less_is_better ? a < b : a > b; }
};

}  // namespace troupe

#endif  // TROUPE_APPS_BENCH_COMPARISON_H_
