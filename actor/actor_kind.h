// The sums behind ActorMetrics: one record for each type of actor of a system, and one for each registered actor.
#ifndef TROUPE_ACTOR_ACTOR_KIND_H_
#define TROUPE_ACTOR_ACTOR_KIND_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <typeinfo>
#include <unordered_map>

#include "actor/actor_metrics.h"

namespace troupe::internal {

// What cannot be read from the actors that are alive: dead letters, sampled times, and what those that have ended did.
// Any thread may call anything.
class ActorKind {
 public:
  explicit ActorKind(std::string name) : name_(std::move(name)) {}
  ~ActorKind() { delete times_.load(); }

  const std::string& name() const { return name_; }

  void RecordHandling(Duration time);
  void CountDeadLetter(DeadLetterReason reason) {
    dead_letters_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  }
  // An actor has ended and had done this.
  void AddEnded(uint64_t handled, uint32_t restarts, uint32_t mailbox_high_mark);
  // Takes over what was counted apart for an actor that has ended.
  void Absorb(const ActorKind& apart);
  void AddTo(ActorMetrics& metrics) const;

 private:
  using Buckets = CoarseHistogram::Buckets;
  using Times = std::array<std::atomic<uint64_t>, Buckets::kCount>;
  // Actors end on all workers at once, maybe millions a second.
  struct Shard {
    std::atomic<uint64_t> handled{0};
    // A cache line apart, without asking whoever holds a system to align it so.
    std::array<char, 56> apart{};
  };

  Times& times();

  const std::string name_;
  std::array<Shard, 4> ended_;
  std::atomic<uint64_t> restarts_{0};
  std::atomic<uint32_t> mailbox_high_mark_{0};
  std::array<std::atomic<uint64_t>, kDeadLetterReasons> dead_letters_{};
  std::atomic<Times*> times_{nullptr};  // null until the first sample
};

size_t NextTypeSlot();

// Small numbers that tell types apart.
template <typename A>
size_t TypeSlotOf() {
  static const size_t slot = NextTypeSlot();
  return slot;
}

// Those of a system's types. Any thread may call anything.
class ActorKinds {
 public:
  // Without a lock for the first kDirect types of a program.
  ActorKind& Of(size_t type_slot, const std::type_info& type) {
    if (type_slot < kDirect) {
      if (ActorKind* kind = direct_[type_slot].load(std::memory_order_acquire)) return *kind;
    }
    return Add(type_slot, type);
  }

 private:
  friend class MetricsRows;
  static constexpr size_t kDirect = 128;

  ActorKind& Add(size_t type_slot, const std::type_info& type);

  std::array<std::atomic<ActorKind*>, kDirect> direct_{};
  std::mutex mutex_;
  std::map<size_t, std::unique_ptr<ActorKind>> kinds_;  // guarded by mutex_
};

// Adds up one SystemMetrics.
class MetricsRows {
 public:
  // With what has ended. Before the actors that are alive: one that ends between is missing rather than there twice.
  explicit MetricsRows(ActorKinds& kinds);

  // Of a type. Good until the next call, like the other.
  ActorMetrics& RowOf(const ActorKind& type);
  // Of a registered actor. Each call adds one, since the record may be gone at the next.
  ActorMetrics& AddRow(const ActorKind& registered);
  SystemMetrics Finish() &&;

 private:
  std::vector<ActorMetrics> rows_;
  std::unordered_map<const ActorKind*, size_t> places_;
  // Most actors are of the same type as the one before.
  const ActorKind* last_ = nullptr;
  size_t last_place_ = 0;
};

}  // namespace troupe::internal

#endif  // TROUPE_ACTOR_ACTOR_KIND_H_
