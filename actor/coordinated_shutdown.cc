#include "actor/coordinated_shutdown.h"

#include <glog/logging.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace troupe {
namespace {

// Ends a task. More than one call is one call.
using Done = std::function<void(absl::Status)>;

// Of the exception that is being handled.
absl::Status CaughtFailure() {
  try {
    throw;
  } catch (const std::exception& exception) {
    return absl::InternalError(exception.what());
  } catch (...) {
    return absl::InternalError("an exception that is no std::exception");
  }
}

// Watches one actor on behalf of no actor.
class EndWatcher final : public Cell {
 public:
  EndWatcher(ActorSystem& system, Done done) : system_(system), id_(system.NewId()), done_(std::move(done)) {}

  void NotifyTerminated(ActorId, absl::Status) override { done_(absl::OkStatus()); }

  bool Deliver(std::unique_ptr<Envelope>) override { return false; }
  void Stop() override {}
  void AddWatcher(std::shared_ptr<Cell>) override {}
  void RemoveWatcher(ActorId) override {}
  ActorId id() const override { return id_; }
  bool alive() const override { return true; }
  std::string label() const override { return "a shutdown"; }
  Executor& executor() override { return system_.executor(); }

 private:
  ActorSystem& system_;
  const ActorId id_;
  const Done done_;
};

}  // namespace

// The phases and how far they have come.
class CoordinatedShutdown::Progress : public std::enable_shared_from_this<Progress> {
 public:
  struct Task {
    std::string name;
    absl::AnyInvocable<void(Done)> begin;
    // At the phase's end, when it is late: does what is left to do, and says what is known.
    absl::AnyInvocable<std::string()> on_late = [] { return std::string("not done"); };
    bool ended = false;
  };

  Progress(ActorSystem& system, std::vector<ShutdownPhase> phases) : system_(system), executor_(system.executor()) {
    std::set<std::string> names;
    int stopping = 0;
    for (ShutdownPhase& phase : phases) {
      CHECK(names.insert(phase.name).second) << "two phases are called " << phase.name;
      CHECK(phase.timeout >= absl::ZeroDuration() && phase.timeout < absl::InfiniteDuration())
          << phase.name << " needs a deadline";
      stopping += phase.stops_all_actors ? 1 : 0;
      total_ += phase.timeout;
      phases_.emplace_back().what = std::move(phase);
      if (phases_.back().what.stops_all_actors) phases_.back().tasks.push_back(StopAllActors());
    }
    CHECK_EQ(stopping, 1) << "one phase stops all actors";
  }

  ActorSystem& system() { return system_; }

  absl::Status Add(std::string_view phase, Task task) {
    std::lock_guard lock(mutex_);
    if (begun_) return absl::FailedPreconditionError("the shutdown has begun");
    auto found = std::find_if(phases_.begin(), phases_.end(), [&](const Phase& p) { return p.what.name == phase; });
    if (found == phases_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a shutdown has no phase ", absl::string_view(phase.data(), phase.size())));
    }
    found->tasks.push_back(std::move(task));
    return absl::OkStatus();
  }

  void Begin() {
    {
      std::lock_guard lock(mutex_);
      if (std::exchange(begun_, true)) return;
    }
    BeginPhase(0);
  }

  ShutdownReport Join() {
    std::unique_lock lock(mutex_);
    // Past all deadlines only when the executor, and with it their timers, has been stopped.
    const Duration limit = total_ + absl::Seconds(1);
    if (!changed_.wait_for(lock, absl::ToChronoNanoseconds(limit), [this] { return over_; })) {
      ShutdownReport report = report_;
      report.problems.push_back({"", "", absl::DeadlineExceededError("not over long after its last deadline")});
      return report;
    }
    return report_;
  }

  std::optional<ShutdownReport> report() const {
    std::lock_guard lock(mutex_);
    if (!over_) return std::nullopt;
    return report_;
  }

 private:
  struct Phase {
    ShutdownPhase what;
    std::vector<Task> tasks;  // fixed once the shutdown has begun
    size_t under_way = 0;
    Executor::TimerId timer = 0;
  };

  Task StopAllActors() {
    return Task{.name = "all actors",
                .begin =
                    [this](Done done) {
                      system_.BeginShutdown();
                      system_.OnTerminated([done = std::move(done)] { done(absl::OkStatus()); });
                    },
                .on_late = [this] { return system_.WhoIsLeft(); }};
  }

  void BeginPhase(size_t index);
  void TaskEnded(size_t index, Task& task, absl::Status status);
  void TimeIsOver(size_t index);
  void Report(const Phase& phase, const Task& task, absl::Status status) {
    report_.problems.push_back({phase.what.name, task.name, std::move(status)});
  }

  ActorSystem& system_;
  Executor& executor_;
  Duration total_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_, but for what is fixed once the shutdown has begun.
  std::vector<Phase> phases_;
  bool begun_ = false;
  size_t current_ = 0;  // the index of the phase that is under way
  bool over_ = false;
  ShutdownReport report_;
};

void CoordinatedShutdown::Progress::BeginPhase(size_t index) {
  while (index < phases_.size() && phases_[index].tasks.empty()) ++index;
  {
    std::lock_guard lock(mutex_);
    current_ = index;
    if (index == phases_.size()) {
      over_ = true;
      changed_.notify_all();
      return;
    }
    Phase& phase = phases_[index];
    phase.under_way = phase.tasks.size();
    // Before its tasks begin, each of which may be the last to end, or not come back for long.
    phase.timer = executor_.RunAt(executor_.Now() + phase.what.timeout,
                                  [self = shared_from_this(), index] { self->TimeIsOver(index); });
  }
  LOG(INFO) << "shutdown: " << phases_[index].what.name;
  for (Task& task : phases_[index].tasks) {
    Done done = [self = shared_from_this(), index, &task](absl::Status status) {
      self->TaskEnded(index, task, std::move(status));
    };
    try {
      task.begin(done);
    } catch (...) {
      done(CaughtFailure());
    }
  }
}

void CoordinatedShutdown::Progress::TaskEnded(size_t index, Task& task, absl::Status status) {
  Executor::TimerId timer = 0;
  {
    std::lock_guard lock(mutex_);
    if (current_ != index || std::exchange(task.ended, true)) return;
    Phase& phase = phases_[index];
    if (!status.ok()) Report(phase, task, std::move(status));
    if (--phase.under_way > 0) return;
    current_ = phases_.size();  // of no phase, so that its time cannot be over any more
    timer = phase.timer;
  }
  executor_.CancelTimer(timer);
  BeginPhase(index + 1);
}

void CoordinatedShutdown::Progress::TimeIsOver(size_t index) {
  std::vector<Task*> late;
  {
    std::lock_guard lock(mutex_);
    if (current_ != index) return;
    current_ = phases_.size();
    for (Task& task : phases_[index].tasks) {
      if (!task.ended) late.push_back(&task);
    }
  }
  for (Task* task : late) {
    std::string what = task->on_late();
    std::lock_guard lock(mutex_);
    Report(
        phases_[index], *task,
        absl::DeadlineExceededError(absl::StrCat(what, " within ", absl::FormatDuration(phases_[index].what.timeout))));
  }
  BeginPhase(index + 1);
}

std::vector<ShutdownPhase> DefaultShutdownPhases() {
  return {{.name = std::string(kStopTakingWork), .timeout = absl::Seconds(5)},
          {.name = std::string(kDrain), .timeout = absl::Seconds(10)},
          {.name = std::string(kStopActors), .timeout = absl::Seconds(10), .stops_all_actors = true},
          {.name = std::string(kAfterActors), .timeout = absl::Seconds(5)}};
}

absl::Status ShutdownReport::ToStatus() const {
  if (problems.empty()) return absl::OkStatus();
  return absl::Status(problems.front().status.code(),
                      absl::StrJoin(problems, "; ", [](std::string* out, const Problem& problem) {
                        absl::StrAppend(out, problem.phase, ": ", problem.task, ": ", problem.status.message());
                      }));
}

CoordinatedShutdown::CoordinatedShutdown(ActorSystem& system, std::vector<ShutdownPhase> phases)
    : progress_(std::make_shared<Progress>(system, std::move(phases))) {}

absl::Status CoordinatedShutdown::AddTask(std::string_view phase, std::string name,
                                          absl::AnyInvocable<Future<void>()> task) {
  return progress_->Add(phase, {.name = std::move(name), .begin = [task = std::move(task)](Done done) mutable {
                                  task().Then(std::move(done));
                                }});
}

absl::Status CoordinatedShutdown::AddBlockingTask(std::string_view phase, std::string name,
                                                  absl::AnyInvocable<absl::Status()> task) {
  auto begin = [&executor = progress_->system().executor(), task = std::move(task)](Done done) mutable {
    const bool taken = executor.RunBlocking([task = std::move(task), done]() mutable {
      try {
        done(task());
      } catch (...) {
        done(CaughtFailure());
      }
    });
    if (!taken) done(absl::ResourceExhaustedError("too much blocking work waits"));
  };
  return progress_->Add(phase, {.name = std::move(name), .begin = std::move(begin)});
}

absl::Status CoordinatedShutdown::AddActor(std::string_view phase, std::shared_ptr<Cell> cell, LocalCell* drained) {
  return progress_->Add(phase, {.name = cell->label(),
                                .begin =
                                    [&system = progress_->system(), cell, drained](Done done) {
                                      cell->AddWatcher(std::make_shared<EndWatcher>(system, std::move(done)));
                                      drained != nullptr ? drained->Drain() : cell->Stop();
                                    },
                                .on_late =
                                    [cell] {
                                      cell->Stop();
                                      return std::string("it did not terminate");
                                    }});
}

void CoordinatedShutdown::Begin() { progress_->Begin(); }

ShutdownReport CoordinatedShutdown::Join() {
  internal::CheckMayWait();
  return progress_->Join();
}

std::optional<ShutdownReport> CoordinatedShutdown::report() const { return progress_->report(); }

}  // namespace troupe
