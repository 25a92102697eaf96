// Whom to probe next: each member once a round, in an order that changes from round to round (SWIM, section 4.3). So
// the first probe of a dead member comes within 2n - 1 periods, not just on average.
#ifndef TROUPE_CLUSTER_SWIM_PROBE_ROUND_H_
#define TROUPE_CLUSTER_SWIM_PROBE_ROUND_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "actor/random.h"

namespace troupe::swim {

// `count` of them, or all if there are fewer, in random order.
template <typename T>
std::vector<T> PickRandom(std::vector<T> from, size_t count, Random& random) {
  if (count > from.size()) count = from.size();
  for (size_t i = 0; i < count; ++i) std::swap(from[i], from[i + random.Below(from.size() - i)]);
  from.resize(count);
  return from;
}

class ProbeRound {
 public:
  // At a random place: at the end of the round, a member that joins and dies at once would be found last.
  void Add(const std::string& name, Random& random);
  void Remove(const std::string& name);
  // Null when there is nobody. Good until the next call.
  const std::string* Next(Random& random);

 private:
  std::vector<std::string> names_;
  size_t next_ = 0;
};

}  // namespace troupe::swim

#endif  // TROUPE_CLUSTER_SWIM_PROBE_ROUND_H_
