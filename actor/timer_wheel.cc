#include "actor/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace troupe {

void TimerWheel::Insert(Entry& entry, uint64_t tick) {
  // One that has passed goes to the present tick, which has been searched, but is searched again.
  entry.tick_ = std::max(std::min(tick, kNever), now_);
  Link(entry);
}

void TimerWheel::Remove(Entry& entry) {
  Slot& slot = slots_[entry.slot_];
  *entry.link_ = entry.next_;
  (entry.next_ != nullptr ? entry.next_->link_ : slot.end) = entry.link_;
  if (slot.first == nullptr && entry.slot_ < kEndOfTime) {
    occupied_[entry.slot_ / kSlots] &= ~(uint64_t{1} << entry.slot_ % kSlots);
  }
}

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
    int slot = 0;
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
  int slot = 0;
  uint64_t begin = 0;
  if (moving_ != kEndOfTime) return now_;
  return FirstSlot(slot, begin) ? std::max(begin, now_) : kNever;
}

void TimerWheel::Link(Entry& entry) {
  if (entry.tick_ == kNever) return Append(kEndOfTime, entry);
  const uint64_t differing = entry.tick_ ^ now_;
  const int wheel = differing == 0 ? 0 : (std::bit_width(differing) - 1) / kDigitBits;
  const int digit = static_cast<int>((entry.tick_ >> (wheel * kDigitBits)) % kSlots);
  Append(wheel * kSlots + digit, entry);
  occupied_[wheel] |= uint64_t{1} << digit;
}

void TimerWheel::Append(int index, Entry& entry) {
  Slot& slot = slots_[index];
  if (slot.first == nullptr) slot.end = &slot.first;
  entry.slot_ = static_cast<uint16_t>(index);
  entry.next_ = nullptr;
  entry.link_ = slot.end;
  *slot.end = &entry;
  slot.end = &entry.next_;
}

bool TimerWheel::FirstSlot(int& slot, uint64_t& begin) const {
  for (int wheel = 0; wheel < kWheels; ++wheel) {
    if (occupied_[wheel] == 0) continue;
    const int digit = std::countr_zero(occupied_[wheel]);
    slot = wheel * kSlots + digit;
    // The digits above are the present's, the ones below are zero.
    const int above = (wheel + 1) * kDigitBits;
    begin = (now_ >> above << above) | static_cast<uint64_t>(digit) << (wheel * kDigitBits);
    return true;
  }
  return false;
}

}  // namespace troupe
