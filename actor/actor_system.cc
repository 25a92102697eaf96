#include "actor/actor_system.h"

#include <cxxabi.h>
#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "actor/actor.h"
#include "actor/thread_executor.h"

namespace troupe {

std::string TypeName(const std::type_info& type) {
  int failed = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &failed);
  std::string result = failed == 0 ? name : type.name();
  std::free(name);
  return result;
}

ActorSystem::ActorSystem()
    : own_executor_(std::make_unique<ThreadExecutor>(ThreadExecutorOptions{})),
      executor_(*own_executor_),
      random_(executor_.Seed()) {
  WatchForStalls();
}

ActorSystem::ActorSystem(Executor& executor) : executor_(executor), random_(executor.Seed()) { WatchForStalls(); }

void ActorSystem::WatchForStalls() {
  executor_.OnStall([this](const internal::StalledTurn& turn) { ReportStall(turn); });
}

ActorSystem::~ActorSystem() {
  if (own_executor_ != nullptr) {
    absl::Status status = Shutdown(absl::Seconds(10));
    if (!status.ok()) LOG(WARNING) << status.message();
  }
  // From here on no turn runs, so that this thread may touch the actors.
  executor_.Stop();
  stopping_ = true;
  names_->Clear();
  // What it refers to may have gone before the system.
  on_dead_letter_ = nullptr;
  const uint64_t before = dead_letters_.total();
  for (const std::shared_ptr<LocalCell>& cell : AllCells()) {
    cells_.Erase(*cell);
    cell->Abandon();
  }
  const uint64_t lost = dead_letters_.total() - before;
  if (lost > 0) LOG(WARNING) << "dead letters: " << lost << " still waited when the system was destroyed";
}

void ActorSystem::Begin(const std::shared_ptr<LocalCell>& cell, LocalCell* parent, absl::Status placed) {
  cell->HoldItself(cell);
  // A child may still be spawned while the system stops: its parent waits for it.
  if (!cells_.Insert(*cell, [&] { return parent != nullptr || !stopping_; })) return cell->Abandon();
  if (parent != nullptr) parent->AdoptChild(cell);
  if (!placed.ok()) return cell->Refuse(std::move(placed));
  cell->Start();
}

absl::Status ActorSystem::FindOtherPlace(Dispatch& dispatch) {
  absl::StatusOr<Executor*> place = executor_.Place(dispatch);
  if (!place.ok()) return place.status();
  dispatch.place_ = *place;
  return absl::OkStatus();
}

std::vector<std::shared_ptr<LocalCell>> ActorSystem::AllCells() const {
  std::vector<std::shared_ptr<LocalCell>> cells = cells_.All();
  std::sort(cells.begin(), cells.end(), [](const auto& a, const auto& b) { return a->id() < b->id(); });
  return cells;
}

std::shared_ptr<LocalCell> ActorSystem::Find(ActorId id) const { return cells_.Find(id); }

std::vector<ActorInfo> ActorSystem::List() const {
  std::vector<ActorInfo> infos;
  for (const std::shared_ptr<LocalCell>& cell : AllCells()) infos.push_back(cell->Info());
  return infos;
}

ActorSystemStats ActorSystem::stats() const {
  ActorSystemStats stats;
  stats.restarts = restarts_.load(std::memory_order_relaxed);
  stats.dead_letters = dead_letters_.total();
  stats.stalls = stalls_.load(std::memory_order_relaxed);
  stats.alive = cells_.size();
  return stats;
}

void ActorSystem::CountDeadLetter(DeadLetterReason reason, const Cell& recipient, const Envelope& envelope) {
  const internal::LogLimit::Line line = dead_letters_.Count(reason);
  const bool shown = MayLog(line, [this] { return dead_letters_.EndInterval(); }) && !stopping_;
  if (!shown && !on_dead_letter_) return;
  const DeadLetter letter{reason, recipient.label(), TypeName(envelope.type())};
  if (shown) {
    LOG(WARNING) << "dead letter: " << letter.message_type << " for " << letter.recipient << " ("
                 << DeadLetterReasonName(reason) << ")";
  }
  if (on_dead_letter_) dead_letter_guard_.Run([&] { on_dead_letter_(letter); });
}

bool ActorSystem::MayLog(internal::LogLimit::Line line, std::function<std::string()> end_interval) {
  using Line = internal::LogLimit::Line;
  if (line == Line::kShowAndBeginInterval) {
    executor_.RunAt(executor_.Now() + internal::LogLimit::Interval(), [end_interval = std::move(end_interval)] {
      const std::string hidden = end_interval();
      if (!hidden.empty()) LOG(WARNING) << hidden;
    });
  }
  return line != Line::kHide;
}

bool ActorSystem::MayLogFailure() {
  return MayLog(failure_log_.Next(), [this] {
    const uint64_t hidden = failure_log_.EndInterval();
    return hidden == 0 ? "" : absl::StrCat("failures of actors: ", hidden, " more lines were not shown");
  });
}

void ActorSystem::CountFarDeadLetter(DeadLetterReason reason, const Cell& recipient, const Envelope& envelope) {
  far_.CountDeadLetter(reason);
  CountDeadLetter(reason, recipient, envelope);
}

void ActorSystem::ReportStall(const internal::StalledTurn& turn) {
  const std::shared_ptr<LocalCell> cell = Find(ActorId{turn.actor});
  const Stall stall{cell == nullptr ? absl::StrCat("actor#", turn.actor) : cell->label(),
                    turn.message == nullptr ? "" : TypeName(*turn.message), turn.lasted, turn.over};
  if (!stall.over) stalls_.fetch_add(1, std::memory_order_relaxed);
  const bool shown = MayLog(stall_log_.Next(), [this] {
    const uint64_t hidden = stall_log_.EndInterval();
    return hidden == 0 ? "" : absl::StrCat("stalls: ", hidden, " more lines were not shown");
  });
  if (shown) {
    LOG(WARNING) << stall.actor << (stall.over ? " held a worker for " : " has been holding a worker for ")
                 << absl::FormatDuration(absl::Trunc(stall.lasted, absl::Milliseconds(1))) << " with "
                 << (stall.message_type.empty() ? "a hook or continuation" : stall.message_type);
  }
  if (on_stall_) stall_guard_.Run([&] { on_stall_(stall); });
}

SystemMetrics ActorSystem::Metrics() const {
  internal::MetricsRows rows(kinds_);
  for (const std::shared_ptr<LocalCell>& cell : cells_.All()) cell->AddMetrics(rows);
  rows.AddRow(far_);
  return std::move(rows).Finish();
}

Duration ActorSystem::RestartDelay(const RestartBackoff& backoff, int failures_in_a_row) {
  std::lock_guard lock(mutex_);
  return BackoffAfter(backoff, failures_in_a_row, random_);
}

void ActorSystem::BeginShutdown() {
  stopping_ = true;
  for (const std::shared_ptr<LocalCell>& cell : AllCells()) {
    if (cell->top_level()) cell->Stop();
  }
}

bool ActorSystem::terminated() const { return cells_.size() == 0; }

absl::Status ActorSystem::Shutdown(Duration timeout) {
  CHECK(!InActorTurn()) << "a system does not end while an actor of it waits for that";
  internal::CheckMayWait();
  BeginShutdown();
  std::unique_lock lock(mutex_);
  // No clock of the standard's can add an infinite time.
  const Duration wait = std::min(timeout, absl::Hours(24 * 365));
  if (emptied_.wait_for(lock, absl::ToChronoNanoseconds(wait), [this] { return terminated(); })) {
    return absl::OkStatus();
  }
  lock.unlock();
  if (terminated()) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat(WhoIsLeft(), " within ", absl::FormatDuration(timeout)));
}

std::string ActorSystem::WhoIsLeft() const {
  const std::vector<std::shared_ptr<LocalCell>> left = AllCells();
  if (left.empty()) return "all actors have terminated";
  return absl::StrCat(left.size(), " actors did not terminate, among them ", left.front()->label(), ",");
}

void ActorSystem::OnTerminated(absl::AnyInvocable<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    // Else whoever ends last comes to the lock later than this.
    if (!terminated()) return on_terminated_.push_back(std::move(callback));
  }
  terminated_guard_.Run(callback);
}

void ActorSystem::Forget(LocalCell& cell) {
  cells_.Erase(cell);
  // Who sets it later than this look finds the cell gone.
  if (!stopping_) return;
  std::vector<absl::AnyInvocable<void()>> callbacks;
  {
    std::lock_guard lock(mutex_);
    if (!terminated()) return;
    emptied_.notify_all();
    callbacks.swap(on_terminated_);
  }
  for (absl::AnyInvocable<void()>& callback : callbacks) terminated_guard_.Run(callback);
}

}  // namespace troupe
