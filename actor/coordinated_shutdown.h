// Ends a system in phases, each with a deadline, so that what depends on something ends before it.
//
//   troupe::CoordinatedShutdown shutdown(system);
//   shutdown.AddTask(kStopTakingWork, "close the port", [&] { return listener.Ask(Close{}); });  // a Future<void>
//   shutdown.DrainActor(kDrain, orders);                           // it and its children handle what waits
//   shutdown.AddBlockingTask(kAfterActors, "flush the log", [&] { return log.Flush(); });        // an absl::Status
//   ...
//   troupe::ShutdownReport report = shutdown.Run();                // from main, when a signal has come
//   if (!report.ok()) LOG(WARNING) << report.ToStatus();
//
// The phases come one after the other; the tasks of one run side by side. When all have ended, or the phase's time is
// over, the next begins: a task that is late or fails is reported and holds up nothing. The work of an actor that is
// late goes on for as long as the executor lets it. ActorSystem::Shutdown is the one phase that always works; the
// model is Pekko's CoordinatedShutdown, with a list instead of a graph.
#ifndef TROUPE_ACTOR_COORDINATED_SHUTDOWN_H_
#define TROUPE_ACTOR_COORDINATED_SHUTDOWN_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "actor/actor_system.h"
#include "actor/future.h"
#include "actor/local_cell.h"
#include "actor/time.h"

namespace troupe {

struct ShutdownPhase {
  std::string name;
  // Finite.
  Duration timeout = absl::Seconds(5);
  // All actors that are left are told to stop, beside the phase's tasks, and no new ones begin.
  bool stops_all_actors = false;
};

inline constexpr std::string_view kStopTakingWork = "stop taking work";
inline constexpr std::string_view kDrain = "drain";
inline constexpr std::string_view kStopActors = "stop actors";
inline constexpr std::string_view kAfterActors = "after the actors";
// These four, with 5, 10, 10 and 5 s.
std::vector<ShutdownPhase> DefaultShutdownPhases();

struct ShutdownReport {
  struct Problem {
    std::string phase;
    std::string task;
    // kDeadlineExceeded: it was late. Else what the task ended in.
    absl::Status status;
  };
  // In the order in which they came up.
  std::vector<Problem> problems;

  bool ok() const { return problems.empty(); }
  // OK, or the first problem's code and all of them in words.
  absl::Status ToStatus() const;
};

//   Threads:  any thread may call anything but Run and Join, which are not for actors.
//   Lifetime: the system must outlive the run; this object need not.
class CoordinatedShutdown {
 public:
  // Exactly one phase stops all actors. Names are unique.
  explicit CoordinatedShutdown(ActorSystem& system, std::vector<ShutdownPhase> phases = DefaultShutdownPhases());

  // What is to be done in a phase. kInvalidArgument: no such phase. kFailedPrecondition: the shutdown has begun.
  //
  // `task` begins the work and does not block; it runs on the thread that ends the phase before. An exception that
  // leaves it counts as its failure.
  absl::Status AddTask(std::string_view phase, std::string name, absl::AnyInvocable<Future<void>()> task);
  // `task` runs on the blocking pool.
  absl::Status AddBlockingTask(std::string_view phase, std::string name, absl::AnyInvocable<absl::Status()> task);
  // The actor stops in that phase, before those of later ones. It ends the task by terminating for whatever reason.
  template <typename A>
  absl::Status StopActor(std::string_view phase, const Address<A>& actor) {
    return AddActor(phase, actor.cell(), /*drained=*/nullptr);
  }
  // The actor first handles the messages that wait at the phase's begin. Then its children handle those that wait for
  // them, side by side, and theirs in turn; what they send each other then comes too late. It stops after the last of
  // them, of whose ends it gets no Terminated. At the phase's end it is told to stop all the same. Of this process
  // only, else kInvalidArgument.
  template <typename A>
  absl::Status DrainActor(std::string_view phase, const Address<A>& actor) {
    auto cell = std::dynamic_pointer_cast<LocalCell>(actor.cell());
    if (cell == nullptr) return absl::InvalidArgumentError("only an actor of this process can be drained");
    return AddActor(phase, cell, cell.get());
  }

  // Once; later calls do nothing.
  void Begin();
  // Waits for the end, which the phases' deadlines bound. Many may.
  ShutdownReport Join();
  ShutdownReport Run() {
    Begin();
    return Join();
  }
  // Null until the last phase is over.
  std::optional<ShutdownReport> report() const;

 private:
  class Progress;

  absl::Status AddActor(std::string_view phase, std::shared_ptr<Cell> cell, LocalCell* drained);

  // Shared with what is under way.
  const std::shared_ptr<Progress> progress_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_COORDINATED_SHUTDOWN_H_
