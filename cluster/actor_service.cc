#include "cluster/actor_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

constexpr uint32_t kDefaultPageSize = 100;
constexpr uint32_t kMaxPageSize = 1000;

actor::v1::ActorState ToProto(ActorState state) {
  switch (state) {
    case ActorState::kStarting:
      return actor::v1::ACTOR_STATE_STARTING;
    case ActorState::kRunning:
      return actor::v1::ACTOR_STATE_RUNNING;
    case ActorState::kRestarting:
      return actor::v1::ACTOR_STATE_RESTARTING;
    case ActorState::kStopping:
      return actor::v1::ACTOR_STATE_STOPPING;
    case ActorState::kTerminated:
      break;  // on its way out of the list
  }
  return actor::v1::ACTOR_STATE_STOPPING;
}

void Fill(actor::v1::ActorInfo& out, const ActorInfo& actor, const std::string& node) {
  out.set_id(actor.id.value);
  out.set_name(actor.name);
  out.set_type(actor.type);
  out.set_node(node);
  out.set_state(ToProto(actor.state));
  out.set_parent_id(actor.parent.value);
  out.set_mailbox_depth(static_cast<uint32_t>(actor.mailbox_depth));
  out.set_mailbox_capacity(static_cast<uint32_t>(actor.mailbox_capacity));
  out.set_handled(actor.handled);
  out.set_restarts(actor.restarts);
  out.set_last_failure(actor.last_failure);
}

}  // namespace

absl::StatusOr<actor::v1::ListActorsResponse> ActorService::ListActors(
    const actor::v1::ListActorsRequest& request) const {
  // The token is the id of the page's last actor: ids only grow, so it stays good while actors come and go.
  uint64_t after = 0;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &after)) {
    return absl::InvalidArgumentError("page_token is not one of ours");
  }
  const uint32_t page_size = request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize);
  actor::v1::ListActorsResponse response;
  for (const ActorInfo& actor : cluster_.system().List()) {
    if (actor.id.value <= after || !absl::StartsWith(actor.name, request.name_prefix())) continue;
    if (static_cast<uint32_t>(response.actors_size()) == page_size) {
      response.set_next_page_token(absl::StrCat(response.actors(response.actors_size() - 1).id()));
      break;
    }
    Fill(*response.add_actors(), actor, cluster_.self().name);
  }
  return response;
}

}  // namespace troupe
