// What most actors never have, and so keep behind a pointer: others that they know, and what waits aside.
#ifndef TROUPE_ACTOR_CELL_RELATIONS_H_
#define TROUPE_ACTOR_CELL_RELATIONS_H_

#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor_kind.h"
#include "actor/actor_timer.h"
#include "actor/address.h"
#include "actor/cell_streams.h"
#include "actor/cell_toolbox.h"
#include "actor/name_table.h"
#include "actor/sibling_restart.h"
#include "actor/supervision.h"

namespace troupe {

class LocalCell;

namespace internal {

// An actor that this one watches.
struct CellWatch {
  std::shared_ptr<Cell> cell;
  // Of the notice.
  std::unique_ptr<Envelope> (*maker)(Terminated) = nullptr;
};

// Children that restart together.
struct CellSiblings {
  RestartBudget budget;
  SiblingRestart plan;
  std::string at_fault;  // and its failure: why the others restart
  absl::Status failure;
};

// What most actors never have.
struct CellRelations {
  std::map<ActorId, std::shared_ptr<LocalCell>> children;
  ActorId last_drained;  // of the children: it and those before it drain because their parent does
  std::map<ActorId, std::shared_ptr<Cell>> watchers;
  std::map<ActorId, CellWatch> watching;
  TimerTable timers;
  std::vector<std::shared_ptr<NameFollower>> following;
  std::unique_ptr<CellStreams> streams;
  std::vector<std::unique_ptr<Envelope>> deferred;   // control messages that came while not running
  std::vector<std::unique_ptr<Envelope>> suspended;  // whose handlers are coroutines that wait
  size_t most_suspended = 1;                         // from so many on the user lane is shut
  std::vector<Reply<void>> room_waiters;             // to be told when the mailbox is half empty
  size_t room_waiters_limit = 16;
  std::optional<RestartBudget> budget;  // from the first failure on
  int failures_in_a_row = 0;            // without an incarnation that lasted between them
  std::unique_ptr<CellToolbox> toolbox;
  std::exception_ptr exception;            // behind the failure that is about to be handled
  std::unique_ptr<CellSiblings> siblings;  // of a parent of whose group one has failed
  // Of a child that restarts with its siblings, about the end of its incarnation.
  bool restarts_for_sibling = false;
  bool told_end = false;
};

// What other threads may want to know of an actor that has something to tell.
struct CellParticulars {
  std::vector<std::string> names;
  std::unique_ptr<ActorKind> kind;  // while it has a name, the first
  std::string last_failure;
  absl::Status termination_reason;
};

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_CELL_RELATIONS_H_
