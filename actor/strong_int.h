// Integers that do not mix: a Term is no LogIndex, and adding two of either is no sense.
#ifndef TROUPE_ACTOR_STRONG_INT_H_
#define TROUPE_ACTOR_STRONG_INT_H_

#include <compare>
#include <cstdint>

namespace troupe {

template <typename Tag>
class StrongInt {
 public:
  constexpr StrongInt() = default;
  constexpr explicit StrongInt(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  StrongInt& operator++() {
    ++value_;
    return *this;
  }
  friend constexpr StrongInt operator+(StrongInt a, uint64_t n) { return StrongInt(a.value_ + n); }
  // Not below zero (unchecked).
  friend constexpr StrongInt operator-(StrongInt a, uint64_t n) { return StrongInt(a.value_ - n); }
  friend constexpr uint64_t operator-(StrongInt a, StrongInt b) { return a.value_ - b.value_; }

 private:
  uint64_t value_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_STRONG_INT_H_
