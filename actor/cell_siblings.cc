// Children that restart together: what parent and children tell each other. The parent has the plan, sibling_restart.h.
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "actor/actor.h"
#include "actor/local_cell.h"

namespace troupe {

// The child's side. The parent's options are fixed, and it outlives its child.

bool LocalCell::RestartsWithSiblings() const {
  return parent_ != nullptr && parent_->options().children != Strategy::kOneForOne;
}

// Once when the incarnation has ended, and once more when the backoff is over that it had to wait for.
void LocalCell::TellParentOfEnd() {
  Relations& own = relations();
  if (!std::exchange(own.told_end, true)) {
    parent_->Post([parent = parent_, id = id_, waits = !backoff_over_,
                   failure = std::exchange(own.restarts_for_sibling, false) ? absl::OkStatus() : end_reason_] {
      parent->OnChildEnded(id, failure, waits);
    });
  } else if (backoff_over_) {
    parent_->Post([parent = parent_, id = id_] { parent->OnChildReady(id, /*running=*/false); });
  }
}

void LocalCell::EndWithSibling(const std::string& sibling, const absl::Status& failure) {
  // Else it ends on its own account, and tells of that.
  if (!running()) return;
  absl::Status reason(failure.code(), absl::StrCat("restarted with sibling ", sibling, ": ", failure.message()));
  KeepLastFailure(reason.message());
  relations().restarts_for_sibling = true;
  BeginRestart(std::move(reason), /*backoff=*/absl::ZeroDuration());
}

void LocalCell::BeginWithSiblings() {
  CreateIncarnation(/*after=*/incarnation_);
  if (running()) parent_->Post([parent = parent_, id = id_] { parent->OnChildReady(id, /*running=*/true); });
}

void LocalCell::GiveUp(absl::Status reason) {
  escalates_ = true;
  BeginStop(std::move(reason));
}

// The parent's side. While it does not run, all its children have been told to stop.

LocalCell::Siblings& LocalCell::siblings() {
  std::unique_ptr<Siblings>& siblings = relations().siblings;
  if (siblings == nullptr) siblings.reset(new Siblings{.budget = RestartBudget(options().children_limit)});
  return *siblings;
}

void LocalCell::OnChildEnded(ActorId child, const absl::Status& failure, bool waits) {
  auto failed = relations().children.find(child);
  if (!running() || failed == relations().children.end()) return;
  if (!failure.ok()) {
    // One that had to end anyway makes for no further restart.
    if (!siblings().plan.Ends(child) && !siblings().budget.Spend(executor_.Now())) {
      const RestartLimit& limit = options().children_limit;
      absl::Status reason(failure.code(),
                          absl::StrCat(failure.message(), " (more than ", limit.max_restarts,
                                       " restarts of siblings within ", absl::FormatDuration(limit.within), ")"));
      failed->second->Post([cell = failed->second.get(), reason] { cell->GiveUp(reason); });
      return;
    }
    std::vector<ActorId> concerned;
    for (const auto& [id, cell] : relations().children) {
      if (id != child && (options().children == Strategy::kOneForAll || id > child)) concerned.push_back(id);
    }
    siblings().plan.Failed(child, concerned);
    siblings().at_fault = failed->second->label();
    siblings().failure = failure;
  }
  if (waits) {
    siblings().plan.EndedAndWaits(child);
  } else {
    siblings().plan.Ready(child);
  }
  ContinueSiblings();
}

void LocalCell::OnChildReady(ActorId child, bool running) {
  if (!this->running()) return;
  if (running) {
    siblings().plan.Runs(child);
  } else {
    siblings().plan.Ready(child);
  }
  ContinueSiblings();
}

void LocalCell::ContinueSiblings() {
  if (relations_->siblings == nullptr) return;
  const SiblingRestart::Step step = siblings().plan.Next();
  if (step.action == SiblingRestart::Action::kNothing) return;
  LocalCell* child = relations().children.at(step.child).get();
  if (step.action == SiblingRestart::Action::kEnd) {
    child->Post([child, at_fault = siblings().at_fault, failure = siblings().failure] {
      child->EndWithSibling(at_fault, failure);
    });
  } else {
    child->Post([child] { child->BeginWithSiblings(); });
  }
}

}  // namespace troupe
