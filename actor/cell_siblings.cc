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

bool LocalCell::SpendGroupRestart() {
  std::optional<RestartBudget>& budget = relations().children_budget;
  if (!budget.has_value()) budget.emplace(options().children_limit);
  return budget->Spend(executor_.Now());
}

void LocalCell::OnChildEnded(ActorId child, const absl::Status& failure, bool waits) {
  auto failed = relations().children.find(child);
  if (!running() || failed == relations().children.end()) return;
  SiblingRestart& siblings = relations().siblings;
  if (!failure.ok()) {
    // One that had to end anyway makes for no further restart.
    if (!siblings.Ends(child) && !SpendGroupRestart()) {
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
    siblings.Failed(child, concerned);
    relations().sibling_at_fault = failed->second->label();
    relations().siblings_failure = failure;
  }
  if (waits) {
    siblings.EndedAndWaits(child);
  } else {
    siblings.Ready(child);
  }
  ContinueSiblings();
}

void LocalCell::OnChildReady(ActorId child, bool running) {
  if (relations_ == nullptr || !this->running()) return;
  if (running) {
    relations_->siblings.Runs(child);
  } else {
    relations_->siblings.Ready(child);
  }
  ContinueSiblings();
}

void LocalCell::ContinueSiblings() {
  const SiblingRestart::Step step = relations().siblings.Next();
  if (step.action == SiblingRestart::Action::kNothing) return;
  LocalCell* child = relations().children.at(step.child).get();
  if (step.action == SiblingRestart::Action::kEnd) {
    child->Post([child, sibling = relations().sibling_at_fault, failure = relations().siblings_failure] {
      child->EndWithSibling(sibling, failure);
    });
  } else {
    child->Post([child] { child->BeginWithSiblings(); });
  }
}

}  // namespace troupe
