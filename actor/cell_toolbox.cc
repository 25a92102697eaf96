// The stash, draining, batches, the idle timeout and the stop token of an actor.
#include "actor/cell_toolbox.h"

#include <glog/logging.h>

#include <typeinfo>
#include <utility>

#include "actor/actor_system.h"
#include "actor/local_cell.h"

namespace troupe {

internal::CellToolbox& LocalCell::toolbox() {
  Relations& own = relations();
  if (own.toolbox == nullptr) own.toolbox = std::make_unique<internal::CellToolbox>();
  return *own.toolbox;
}

namespace {

std::unique_ptr<Envelope> PopEnvelope(ItemQueue& queue) {
  return std::unique_ptr<Envelope>(static_cast<Envelope*>(queue.Pop().release()));
}

// Those that have come since the last call: each drains once.
void DrainChildren(internal::CellRelations& relations) {
  for (auto child = relations.children.upper_bound(relations.last_drained); child != relations.children.end();
       ++child) {
    child->second->Drain();
    relations.last_drained = child->first;
  }
}

}  // namespace

absl::Status LocalCell::Stash(std::unique_ptr<Envelope> envelope, size_t limit) {
  internal::CellToolbox& tools = toolbox();
  if (tools.stashed >= limit) {
    // Those whose askers have given up take no room.
    ItemQueue all;
    all.AppendAll(tools.stash);
    tools.stashed = 0;
    while (!all.empty()) {
      std::unique_ptr<Envelope> old = PopEnvelope(all);
      if (Expired(*old)) {
        Bury(DeadLetterReason::kExpired, *old);
      } else {
        tools.stash.Append(std::move(old));
        ++tools.stashed;
      }
    }
  }
  if (tools.stashed >= limit) {
    Bury(DeadLetterReason::kStashFull, *envelope);
    return DeadLetterStatus(DeadLetterReason::kStashFull, label());
  }
  tools.stash.Append(std::move(envelope));
  ++tools.stashed;
  return absl::OkStatus();
}

void LocalCell::UnstashAll() {
  if (relations_ == nullptr || relations_->toolbox == nullptr) return;
  internal::CellToolbox& tools = toolbox();
  // What is still to be replayed was younger than what has been put aside again meanwhile.
  tools.stash.AppendAll(tools.replay);
  tools.replay.AppendAll(tools.stash);
  tools.stashed = 0;
  PostReplay();
}

void LocalCell::PostReplay() {
  internal::CellToolbox& tools = toolbox();
  // While a coroutine lets nothing in, mail that is replayed waits like any other; it is drained when none waits.
  const bool ready = tools.replay.empty() ? draining_ && relations_->suspended.empty() : !user_lane_shut_;
  if (tools.replay_posted || !ready) return;
  tools.replay_posted = true;
  Post([this] { Replay(); });
}

void LocalCell::Replay() {
  internal::CellToolbox& tools = toolbox();
  tools.replay_posted = false;
  if (!user_lane_open()) return;  // a coroutine's end goes on with it, or the next incarnation, or the actor's end
  if (!tools.replay.empty()) HandleMail(PopEnvelope(tools.replay));
  if (!running()) return;
  if (!tools.replay.empty() || !draining_ || !relations_->suspended.empty()) return PostReplay();
  if (childless()) return BeginStop(absl::OkStatus());
  DrainChildren(*relations_);  // the end of each comes back here
}

void LocalCell::Drain() {
  Post([this] {
    // Once: what has come since then comes too late.
    if (draining_) return;
    draining_ = true;
    toolbox();  // so that a new incarnation goes on with it
    // Now, also while it restarts: what comes later is not handled.
    ReplayMailbox();
  });
}

void LocalCell::ReplayMailbox() {
  internal::CellToolbox& tools = toolbox();
  while (std::unique_ptr<MailboxItem> item = mailbox_.PopUserIf([](MailboxItem&) { return true; })) {
    tools.replay.Append(std::move(item));
  }
  PostReplay();
}

void LocalCell::ResumeTools() {
  if (relations_ == nullptr || relations_->toolbox == nullptr) return;
  // What was stashed is mail, which a restart keeps. The new incarnation is in its first state, so that it decides
  // anew what to put aside.
  UnstashAll();
}

void LocalCell::EndTools() {
  if (relations_ == nullptr || relations_->toolbox == nullptr) return;
  CancelIdleTimeout();
  // Taken out first: a callback of the token's may be anything.
  std::stop_source source = std::exchange(toolbox().stop_source, std::stop_source(std::nostopstate));
  if (source.stop_possible()) source.request_stop();
}

void LocalCell::BuryTools() {
  if (relations_ == nullptr || relations_->toolbox == nullptr) return;
  internal::CellToolbox& tools = toolbox();
  tools.stash.AppendAll(tools.replay);
  while (!tools.stash.empty()) Bury(DeadLetterReason::kTerminated, *PopEnvelope(tools.stash));
}

std::unique_ptr<Envelope> LocalCell::NextInBatch(const std::type_info& envelope_type) {
  auto wanted = [&](MailboxItem& item) { return typeid(item) == envelope_type; };
  while (std::unique_ptr<MailboxItem> item = NextMailIf(wanted)) {
    std::unique_ptr<Envelope> envelope(static_cast<Envelope*>(item.release()));
    if (Expired(*envelope)) {
      Bury(DeadLetterReason::kExpired, *envelope);
      continue;
    }
    handled_.store(handled_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return envelope;
  }
  return nullptr;
}

std::unique_ptr<MailboxItem> LocalCell::NextMailIf(absl::FunctionRef<bool(MailboxItem&)> wanted) {
  if (relations_ != nullptr && relations_->toolbox != nullptr) {
    internal::CellToolbox& tools = toolbox();
    if (!tools.replay.empty()) return wanted(tools.replay.front()) ? tools.replay.Pop() : nullptr;
    if (draining_) return nullptr;
  }
  return mailbox_.PopUserIf(wanted);
}

void LocalCell::SetIdleTimeout(Duration limit, std::unique_ptr<Envelope> (*maker)()) {
  CHECK(limit > absl::ZeroDuration()) << "an actor is idle after some time, not at once";
  CancelIdleTimeout();
  toolbox().idle = {.limit = limit, .maker = maker, .last_active = executor_.Now()};
  notes_activity_ = true;
  ArmIdleTimer();
}

void LocalCell::CancelIdleTimeout() {
  if (!notes_activity_) return;
  notes_activity_ = false;
  executor_.CancelTimer(toolbox().idle.timer);
  ++toolbox().idle_number;
}

void LocalCell::NoteActivity() { toolbox().idle.last_active = executor_.Now(); }

// One timer for many messages: it is not put off by them, but looks when it fires how long ago the last one was.
void LocalCell::ArmIdleTimer() {
  internal::CellToolbox& tools = toolbox();
  tools.idle.timer = executor_.RunAt(tools.idle.last_active + tools.idle.limit,
                                     [weak = std::weak_ptr<LocalCell>(self_), number = tools.idle_number] {
                                       std::shared_ptr<LocalCell> cell = weak.lock();
                                       if (cell == nullptr) return;
                                       cell->Post([self = cell.get(), number] { self->FireIdleTimer(number); });
                                     });
}

void LocalCell::FireIdleTimer(uint64_t number) {
  if (!running() || !notes_activity_ || toolbox().idle_number != number) return;
  internal::CellToolbox::Idle& idle = toolbox().idle;
  // Mail that waits has not been handled because its worker was busy or a coroutine lets none in, not because there is
  // none. A coroutine that waits is at work, and its end is activity.
  if (mailbox_.depth() > 0 || !relations_->suspended.empty()) NoteActivity();
  const Instant now = executor_.Now();
  const bool idled = now - idle.last_active >= idle.limit;
  if (idled) idle.last_active = now;
  auto* maker = idle.maker;
  ArmIdleTimer();
  if (idled) HandleEnvelope(maker());
}

std::stop_token LocalCell::StopToken() {
  std::stop_source& source = toolbox().stop_source;
  if (!source.stop_possible()) source = std::stop_source();
  return source.get_token();
}

}  // namespace troupe
