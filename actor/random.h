// Chance from a seed: the same seed gives the same numbers on every machine and in every release.
#ifndef TROUPE_ACTOR_RANDOM_H_
#define TROUPE_ACTOR_RANDOM_H_

#include <cstdint>
#include <string_view>

namespace troupe {

// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). Not for secrets.
// A value: copy it and both copies go on alike. Not thread-safe.
class Random {
 public:
  // So that the standard's shuffle and distributions take it. Their results differ between libraries, though; what
  // must be repeatable uses Below.
  using result_type = uint64_t;
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }

  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t operator()() { return Next(); }

  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15;
    return Mix(state_);
  }

  // From 0 to bound - 1, each as likely as the next to within 2^-64 times bound. bound must not be 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

  // Whether an event of this chance in a thousand happens.
  bool PerMille(uint64_t chance) { return Below(1000) < chance; }

  // A stream of its own for one purpose: draws from it do not shift the draws of any other.
  Random Split(std::string_view purpose) const {
    uint64_t seed = state_;
    for (unsigned char byte : purpose) seed = Mix(seed ^ byte);
    return Random(Mix(seed + purpose.size()));
  }

 private:
  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

  uint64_t state_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_RANDOM_H_
