#include "actor/deterministic_executor.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {

// More steps than this at one instant is a loop that waits for time to pass without asking for it.
constexpr uint64_t kMaxStepsPerInstant = 10'000'000;

Simulator::Simulator(uint64_t seed)
    : seed_(seed), root_(seed), schedule_(root_.Split("schedule")), ties_(root_.Split("ties")) {}

Simulator::EventId Simulator::At(Instant when, uint32_t node, Kind kind, absl::AnyInvocable<void()> callback) {
  EventId id = next_event_++;
  // The tie-break is drawn also for Never, so that cancelling or not does not shift later draws.
  EventKey key{std::max(when, now_), ties_.Next(), id};
  events_.emplace(key, Event{node, kind, std::move(callback)});
  event_keys_.emplace(id, key);
  return id;
}

bool Simulator::Cancel(EventId id) {
  auto key = event_keys_.find(id);
  if (key == event_keys_.end()) return false;
  auto event = events_.extract(key->second);  // destroyed last: it may come back here
  event_keys_.erase(key);
  return true;
}

void Simulator::MakeReady(uint32_t node, Runnable& runnable) {
  if (!HoldUp(node, runnable)) ready_.push_back(Ready{node, &runnable});
}

bool Simulator::HoldUp(uint32_t node, Runnable& runnable) {
  if (controls_.empty()) return false;
  const ControlKey key(node, runnable.trace_id());
  auto control = controls_.find(key);
  if (control == controls_.end()) return false;
  if (!control->second.paused && control->second.delay <= absl::ZeroDuration()) return false;
  control->second.held = &runnable;
  if (control->second.delay > absl::ZeroDuration()) {
    control->second.wait = At(now_ + control->second.delay, node, Kind::kDelay, [this, key] {
      Control& due = controls_.at(key);
      due.wait = 0;
      LetGo(key, due);
    });
  }
  return true;
}

void Simulator::LetGo(const ControlKey& key, Control& control) {
  if (control.held == nullptr || control.paused || control.wait != 0) return;
  ready_.push_back(Ready{key.first, std::exchange(control.held, nullptr)});
}

Runnable* Simulator::TakeReady(const ControlKey& key) {
  auto found = std::find_if(ready_.begin(), ready_.end(), [&](const Ready& ready) {
    return ready.node == key.first && ready.runnable->trace_id() == key.second;
  });
  if (found == ready_.end()) return nullptr;
  Runnable* runnable = found->runnable;
  ready_.erase(found);
  return runnable;
}

void Simulator::Pause(uint32_t node, uint64_t id) {
  const ControlKey key(node, id);
  Control& control = controls_[key];
  control.paused = true;
  if (Runnable* runnable = TakeReady(key)) control.held = runnable;
}

void Simulator::Resume(uint32_t node, uint64_t id) {
  const ControlKey key(node, id);
  Control& control = controls_[key];
  control.paused = false;
  LetGo(key, control);
}

void Simulator::Slow(uint32_t node, uint64_t id, Duration delay) { controls_[ControlKey(node, id)].delay = delay; }

bool Simulator::StepOne(uint32_t node, uint64_t id) {
  const ControlKey key(node, id);
  Runnable* runnable = TakeReady(key);
  auto control = controls_.find(key);
  if (runnable == nullptr && control != controls_.end() && control->second.held != nullptr) {
    runnable = std::exchange(control->second.held, nullptr);
    Cancel(std::exchange(control->second.wait, 0));
  }
  if (runnable == nullptr) return false;
  ++steps_;
  RunTurn(Ready{node, runnable});
  return true;
}

void Simulator::DropNode(uint32_t node) {
  std::erase_if(ready_, [node](const Ready& ready) { return ready.node == node; });
  std::erase_if(controls_, [node](const auto& control) { return control.first.first == node; });
  // One at a time: the end of one may end what others would touch, which cancels them, and so must find them here.
  for (auto event = events_.begin(); event != events_.end();) {
    if (event->second.node != node) {
      ++event;
      continue;
    }
    const EventKey key = event->first;
    event_keys_.erase(key.id);
    events_.extract(event);  // destroyed when it is out
    event = events_.upper_bound(key);
  }
}

bool Simulator::Step() {
  ++steps_;
  CHECK_LT(++steps_at_now_, kMaxStepsPerInstant) << "seed " << seed_ << ": livelock, time does not move";
  if (!ready_.empty()) {
    const bool event_due = !events_.empty() && events_.begin()->first.when <= now_;
    const size_t choice = schedule_.Below(ready_.size() + (event_due ? 1 : 0));
    if (choice < ready_.size()) {
      RunReady(choice);
    } else {
      RunEarliest();
    }
    return true;
  }
  if (events_.empty() || events_.begin()->first.when == Instant::Never()) return false;
  RunEarliest();
  return true;
}

void Simulator::RunReady(size_t choice) {
  const Ready chosen = ready_[choice];
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(choice));
  RunTurn(chosen);
}

void Simulator::RunTurn(const Ready& chosen) {
  Trace(Kind::kTurn, chosen.node, chosen.runnable->trace_id());
  chosen.runnable->RunTurn(/*max_messages=*/1);
}

void Simulator::RunEarliest() {
  auto event = events_.extract(events_.begin());
  const EventKey& key = event.key();
  event_keys_.erase(key.id);
  if (key.when > now_) {
    now_ = key.when;
    steps_at_now_ = 0;
  }
  Trace(event.mapped().kind, event.mapped().node, key.id);
  event.mapped().callback();
}

bool Simulator::RunUntil(const std::function<bool()>& condition, Duration limit) {
  const Instant end = now_ + limit;
  while (!condition()) {
    if (ready_.empty() && (events_.empty() || events_.begin()->first.when > end)) return false;
    if (!Step()) return condition();
  }
  return true;
}

void Simulator::RunFor(Duration duration) {
  const Instant end = now_ + duration;
  RunUntil([] { return false; }, duration);
  now_ = std::max(now_, end);
  steps_at_now_ = 0;
}

void Simulator::Trace(Kind kind, uint32_t node, uint64_t payload) {
  // FNV-1a over words rather than bytes: it needs to tell runs apart, not to withstand anyone.
  for (uint64_t word : {static_cast<uint64_t>(now_.nanos()), static_cast<uint64_t>(kind) << 32 | node, payload}) {
    trace_hash_ = (trace_hash_ ^ word) * 0x100000001B3;
    trace_hash_ ^= trace_hash_ >> 29;
  }
}

DeterministicExecutor::DeterministicExecutor(Simulator& simulator, uint32_t node, DeterministicExecutorOptions options)
    : simulator_(simulator),
      node_(node),
      options_(options),
      latency_(simulator.StreamFor(absl::StrCat("blocking latency of node ", node))) {}

uint64_t DeterministicExecutor::Seed() { return simulator_.StreamFor(absl::StrCat("chance of node ", node_)).Next(); }

void DeterministicExecutor::Schedule(Runnable& runnable) {
  if (!stopped_) simulator_.MakeReady(node_, runnable);
}

void DeterministicExecutor::AtEndOfTurn(std::shared_ptr<EndOfTurnHook> hook) {
  if (!batch_end_.hooks.pending()) Schedule(batch_end_);
  batch_end_.hooks.Add(std::move(hook));
}

bool DeterministicExecutor::RunBlocking(absl::AnyInvocable<void()> work) {
  if (stopped_ || blocking_in_flight_ >= options_.blocking_queue_limit) return false;
  ++blocking_in_flight_;
  const int64_t span = absl::ToInt64Nanoseconds(options_.blocking_max - options_.blocking_min);
  const Duration latency =
      options_.blocking_min + absl::Nanoseconds(latency_.Below(static_cast<uint64_t>(std::max<int64_t>(span, 1))));
  // The work happens at the end of its latency: what it reads is what is there then, as with a slow disk.
  simulator_.At(simulator_.Now() + latency, node_, Simulator::Kind::kBlockingDone,
                [this, work = std::move(work)]() mutable {
                  --blocking_in_flight_;
                  blocking_guard_.Run(work);
                });
  return true;
}

DeterministicExecutor::TimerId DeterministicExecutor::RunAt(Instant when, absl::AnyInvocable<void()> callback) {
  if (stopped_) return 0;
  return simulator_.At(when, node_, Simulator::Kind::kTimer,
                       [this, callback = std::move(callback)]() mutable { timer_guard_.Run(callback); });
}

namespace {

// Lives in the simulator until the deadline, a cancel, or the node's end, which it makes an answer too.
class ExpireOnce {
 public:
  explicit ExpireOnce(Deadline& deadline) : deadline_(&deadline) {}
  ExpireOnce(ExpireOnce&& other) noexcept : deadline_(std::exchange(other.deadline_, nullptr)) {}
  ~ExpireOnce() { Expire(Deadline::ExecutorEnded()); }

  void Expire(const absl::Status& status) {
    Deadline* deadline = std::exchange(deadline_, nullptr);
    if (deadline == nullptr || !deadline->TryRef()) return;
    deadline->Expire(status);
    deadline->Unref();
  }

 private:
  Deadline* deadline_;
};

}  // namespace

void DeterministicExecutor::Arm(Deadline& deadline, Instant when) {
  deadline.timer_ = RunAt(when, [expire = ExpireOnce(deadline)]() mutable {
    expire.Expire(absl::DeadlineExceededError("no answer before the deadline"));
  });
}

void DeterministicExecutor::Stop() {
  if (stopped_) return;
  stopped_ = true;
  simulator_.DropNode(node_);
}

}  // namespace troupe
