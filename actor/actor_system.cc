#include "actor/actor_system.h"

#include <cxxabi.h>
#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "actor/actor.h"
#include "actor/thread_executor.h"

namespace troupe {

absl::Status DeadLetterStatus(DeadLetterReason reason, const std::string& recipient) {
  switch (reason) {
    case DeadLetterReason::kTerminated:
      return absl::UnavailableError(absl::StrCat(recipient, " has terminated"));
    case DeadLetterReason::kMailboxFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("the mailbox of ", recipient, " is full; try again in a moment"));
    case DeadLetterReason::kExpired:
      return absl::DeadlineExceededError(absl::StrCat(recipient, " did not come to the message before its deadline"));
    case DeadLetterReason::kStashFull:
      return absl::ResourceExhaustedError(absl::StrCat("the stash of ", recipient, " is full; try again in a moment"));
    case DeadLetterReason::kUnhandled:
      return absl::FailedPreconditionError(absl::StrCat(recipient, " does not take this message in its present state"));
  }
  return absl::InternalError("no such reason");
}

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
      random_(std::random_device{}()) {}

ActorSystem::ActorSystem(Executor& executor, Random random) : executor_(executor), random_(random) {}

ActorSystem::~ActorSystem() {
  if (own_executor_ != nullptr) {
    absl::Status status = Shutdown(absl::Seconds(10));
    if (!status.ok()) LOG(WARNING) << status.message();
  }
  // From here on no turn runs, so that this thread may touch the actors.
  executor_.Stop();
  stopping_ = true;
  {
    std::lock_guard lock(mutex_);
    names_.clear();
  }
  for (const std::shared_ptr<LocalCell>& cell : AllCells()) {
    cells_.Erase(*cell);
    cell->Abandon();
  }
}

void ActorSystem::Begin(const std::shared_ptr<LocalCell>& cell, LocalCell* parent) {
  cell->HoldItself(cell);
  // A child may still be spawned while the system stops: its parent waits for it.
  if (!cells_.Insert(*cell, [&] { return parent != nullptr || !stopping_; })) return cell->Abandon();
  if (parent != nullptr) parent->AdoptChild(cell);
  cell->Start();
}

std::vector<std::shared_ptr<LocalCell>> ActorSystem::AllCells() const {
  std::vector<std::shared_ptr<LocalCell>> cells = cells_.All();
  std::sort(cells.begin(), cells.end(), [](const auto& a, const auto& b) { return a->id() < b->id(); });
  return cells;
}

absl::Status ActorSystem::RegisterCell(const std::string& name, const std::shared_ptr<LocalCell>& cell) {
  if (name.empty() || name.size() > 255) return absl::InvalidArgumentError("a name has 1 to 255 bytes");
  if (cell == nullptr) return absl::InvalidArgumentError("only an actor of this process can be registered here");
  {
    std::lock_guard lock(mutex_);
    auto [entry, inserted] = names_.emplace(name, cell);
    if (!inserted) return absl::AlreadyExistsError(absl::StrCat("the name ", name, " is taken"));
  }
  // Outside the lock, which a terminating actor takes too.
  if (!cell->SetName(name, [this, name, id = cell->id()] { Unregister(name, id); })) {
    Unregister(name, cell->id());
    return absl::FailedPreconditionError(absl::StrCat(cell->label(), " has a name already or has terminated"));
  }
  return absl::OkStatus();
}

void ActorSystem::Unregister(const std::string& name, ActorId owner) {
  std::lock_guard lock(mutex_);
  auto entry = names_.find(name);
  if (entry != names_.end() && entry->second->id() == owner) names_.erase(entry);
}

absl::StatusOr<std::shared_ptr<Cell>> ActorSystem::LookupCell(std::string_view name, const std::type_info& type) const {
  std::lock_guard lock(mutex_);
  auto entry = names_.find(name);
  if (entry == names_.end()) {
    return absl::NotFoundError(absl::StrCat("no actor has the name ", absl::string_view(name.data(), name.size())));
  }
  if (entry->second->actor_type() != type) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the actor ", entry->first, " is a ", TypeName(entry->second->actor_type()), ", not a ", TypeName(type)));
  }
  return entry->second;
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
  for (const auto& count : dead_letters_) stats.dead_letters += count.load(std::memory_order_relaxed);
  stats.alive = cells_.size();
  return stats;
}

void ActorSystem::CountDeadLetter(DeadLetterReason reason, const LocalCell& recipient, const Envelope& envelope) {
  dead_letters_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  if (on_dead_letter_) on_dead_letter_(DeadLetter{reason, recipient.label(), TypeName(envelope.type())});
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
  callback();
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
  for (absl::AnyInvocable<void()>& callback : callbacks) callback();
}

}  // namespace troupe
