#include "cluster/swim/probe_round.h"

#include <algorithm>

namespace troupe::swim {

void ProbeRound::Add(const std::string& name, Random& random) {
  size_t place = random.Below(names_.size() + 1);
  names_.insert(names_.begin() + static_cast<ptrdiff_t>(place), name);
  if (place < next_) ++next_;
}

void ProbeRound::Remove(const std::string& name) {
  auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return;
  if (static_cast<size_t>(found - names_.begin()) < next_) --next_;
  names_.erase(found);
}

const std::string* ProbeRound::Next(Random& random) {
  if (names_.empty()) return nullptr;
  if (next_ >= names_.size()) {
    names_ = PickRandom(std::move(names_), names_.size(), random);
    next_ = 0;
  }
  return &names_[next_++];
}

}  // namespace troupe::swim
