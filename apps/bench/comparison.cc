#include "apps/bench/comparison.h"

namespace troupe {

Spread Comparison::PeersBest(const std::string& peer) const {
  Spread best;
  auto found = peers.find(peer);
  if (found == peers.end()) return best;
  for (const auto& [configuration, values] : found->second) {
    const Spread spread = SpreadOf(values);
    if (best.median == 0 || Better(spread.median, best.median)) best = spread;
  }
  return best;
}

double Comparison::Ratio() const {
  double best = 0;
  for (const auto& [peer, configurations] : peers) {
    const double median = PeersBest(peer).median;
    if (best == 0 || Better(median, best)) best = median;
  }
  const double median = SpreadOf(ours).median;
  if (best == 0 || median == 0) return 0;
  return less_is_better ? best / median : median / best;
}

bool Comparison::holds() const {
  const double median = SpreadOf(ours).median;
  if (less_is_better ? median <= must : median >= must) return true;
  return must_ratio > 0 && Ratio() >= must_ratio;
}

}  // namespace troupe
