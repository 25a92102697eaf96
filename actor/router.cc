#include "actor/router.h"

namespace troupe {

size_t LeastBusy(const std::vector<size_t>& loads, size_t start) {
  size_t best = start % loads.size();
  for (size_t step = 1; step < loads.size(); ++step) {
    const size_t member = (start + step) % loads.size();
    if (loads[member] < loads[best]) best = member;
  }
  return best;
}

uint64_t HashOfKey(std::string_view key) { return Random(0).Split(key).Next(); }

// The paper's idea: with a chance of 1 in n a key moves when the n-th member comes. The chances are drawn from a
// generator seeded with the key, and instead of asking at each n, the distance to the next move is drawn at once.
size_t ConsistentHash(uint64_t hash, size_t members) {
  Random random(hash);
  size_t member = 0;
  while (true) {
    // From (0, 1], of 53 bits. The next move comes when n exceeds (member + 1) / draw.
    const double draw = static_cast<double>((random.Next() >> 11) + 1) / static_cast<double>(uint64_t{1} << 53);
    const double next = static_cast<double>(member + 1) / draw;
    if (next >= static_cast<double>(members)) return member;
    member = static_cast<size_t>(next);
  }
}

}  // namespace troupe
