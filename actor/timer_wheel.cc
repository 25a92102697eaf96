#include "actor/timer_wheel.h"

namespace troupe {

bool TimerWheel::Advance(uint64_t now, size_t limit, absl::FunctionRef<void(Entry&)> due) {
  const uint64_t target = std::min(now, kNever - 1);
  while (true) {
    // All of them, before any fires: those left behind would be overtaken by the wheels below. They keep their order.
    while (moving_ != kEndOfTime && slots_[moving_].first != nullptr) {
      if (limit-- == 0) return true;
      Entry& entry = *slots_[moving_].first;
      Remove(entry);
      Link(entry);
    }
    moving_ = kEndOfTime;
    uint32_t slot = 0;
    uint64_t begin = 0;
    if (!FirstSlot(slot, begin) || begin > target) break;
    now_ = std::max(now_, begin);
    if (slot >= kSlots) {
      moving_ = slot;
      occupied_[slot / kSlots] &= ~(uint64_t{1} << slot % kSlots);
      continue;
    }
    while (Entry* entry = slots_[slot].first) {
      if (limit-- == 0) return true;
      Remove(*entry);
      due(*entry);
    }
  }
  now_ = std::max(now_, target);
  return false;
}

void TimerWheel::Clear(absl::FunctionRef<void(Entry&)> removed) {
  for (Slot& slot : slots_) {
    while (Entry* entry = slot.first) {
      Remove(*entry);
      removed(*entry);
    }
  }
}

uint64_t TimerWheel::NextTick() const {
  uint32_t slot = 0;
  uint64_t begin = 0;
  if (moving_ != kEndOfTime) return now_;
  return FirstSlot(slot, begin) ? std::max(begin, now_) : kNever;
}

bool TimerWheel::FirstSlot(uint32_t& slot, uint64_t& begin) const {
  for (uint32_t wheel = 0; wheel < kWheels; ++wheel) {
    if (occupied_[wheel] == 0) continue;
    const auto digit = static_cast<uint32_t>(std::countr_zero(occupied_[wheel]));
    slot = wheel * kSlots + digit;
    // The digits above are the present's, the ones below are zero.
    const uint32_t above = (wheel + 1) * kDigitBits;
    begin = (now_ >> above << above) | static_cast<uint64_t>(digit) << (wheel * kDigitBits);
    return true;
  }
  return false;
}

}  // namespace troupe
