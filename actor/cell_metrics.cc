// What an actor shows to those who look at its system from outside.
#include <algorithm>
#include <mutex>
#include <utility>

#include "actor/actor_kind.h"
#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

internal::ActorKind& LocalCell::type_kind() const { return system_.KindOf(type_slot(), actor_type()); }

internal::ActorKind& LocalCell::kind() const {
  return particulars_ != nullptr && particulars_->kind != nullptr ? *particulars_->kind : type_kind();
}

void LocalCell::LeaveMetrics() {
  internal::ActorKind& type = type_kind();
  type.AddEnded(handled_.load(std::memory_order_relaxed), restarts_.load(std::memory_order_relaxed),
                mailbox_high_mark_.load(std::memory_order_relaxed));
  if (particulars_ == nullptr || particulars_->kind == nullptr) return;
  type.Absorb(*particulars_->kind);
  particulars_->kind.reset();
}

void LocalCell::AddMetrics(internal::MetricsRows& rows) const {
  std::lock_guard lock(mutex());
  if (names_taken_back_) return;  // it has left
  const bool registered = particulars_ != nullptr && particulars_->kind != nullptr;
  ActorMetrics& row = registered ? rows.AddRow(*particulars_->kind) : rows.RowOf(type_kind());
  ++row.alive;
  row.mailbox_depth += mailbox_.depth();
  row.mailbox_high_mark = std::max<uint64_t>(row.mailbox_high_mark, mailbox_high_mark_.load(std::memory_order_relaxed));
  row.handled += handled_.load(std::memory_order_relaxed);
  row.restarts += restarts_.load(std::memory_order_relaxed);
}

ActorInfo LocalCell::Info() const {
  ActorInfo info;
  info.id = id_;
  info.type = type_kind().name();
  info.state = state_.load();
  info.parent = parent_id_;
  info.mailbox_depth = mailbox_.depth();
  info.mailbox_capacity = mailbox_.capacity();
  info.mailbox_high_mark = mailbox_high_mark_.load(std::memory_order_relaxed);
  info.handled = handled_.load(std::memory_order_relaxed);
  info.restarts = restarts_.load(std::memory_order_relaxed);
  std::lock_guard lock(mutex());
  if (particulars_ != nullptr) {
    if (!particulars_->names.empty()) info.name = particulars_->names.front();
    info.last_failure = particulars_->last_failure;
  }
  return info;
}

void LocalCell::HandleTimed(std::unique_ptr<Envelope> envelope) {
  const uint64_t handled = handled_.load(std::memory_order_relaxed);
  const Instant begin = executor_.Now();
  HandleEnvelope(std::move(envelope));
  if (handled_.load(std::memory_order_relaxed) == handled) return;  // put off or buried
  const Duration took = executor_.Now() - begin;
  std::lock_guard lock(mutex());
  kind().RecordHandling(took);
}

}  // namespace troupe
