#include "cluster/actor_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

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

absl::Status NotOurToken() { return absl::InvalidArgumentError("page_token is not one of ours"); }

std::string AgentName(const std::string& node) { return absl::StrCat("node/", node); }

}  // namespace

template <>
struct WireFormat<ListActorsHere> {
  using Proto = actor::v1::ListActorsRequest;
  static constexpr std::string_view kName = "actor.ListActorsHere";
  static Proto ToProto(ListActorsHere list) { return std::move(list.request); }
  static absl::StatusOr<ListActorsHere> FromProto(Proto proto) {
    // What ActorService asks always lies between; another peer may ask for anything.
    proto.set_page_size(std::clamp<uint32_t>(proto.page_size(), 1, kMaxPageSize));
    return ListActorsHere{std::move(proto)};
  }
};

absl::StatusOr<actor::v1::ListActorsResponse> NodeAgent::Handle(ListActorsHere list, Context& context) {
  const actor::v1::ListActorsRequest& request = list.request;
  // The token is the id of the page's last actor: ids only grow, so it stays good while actors come and go.
  uint64_t after = 0;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &after)) return NotOurToken();
  actor::v1::ListActorsResponse response;
  for (const ActorInfo& actor : context.system().List()) {
    if (actor.id.value <= after || !absl::StartsWith(actor.name, request.name_prefix())) continue;
    if (response.actors_size() >= static_cast<int>(request.page_size())) {
      response.set_next_page_token(absl::StrCat(response.actors(response.actors_size() - 1).id()));
      break;
    }
    Fill(*response.add_actors(), actor, node_);
  }
  return response;
}

void ActorService::Expose(Cluster& cluster) { cluster.Expose<NodeAgent, ListActorsHere>(); }

absl::Status ActorService::Start() {
  const std::string node = cluster_.self().name;
  return cluster_.Register(AgentName(node), cluster_.system().Spawn<NodeAgent>(node));
}

// Goes from node to node, in the order of their names, until the page is full. Its token is the node that comes next
// and that node's own token: "n2 17".
class ActorService::Listing : public std::enable_shared_from_this<Listing> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<actor::v1::ListActorsResponse>)>;

  Listing(Cluster& cluster, actor::v1::ListActorsRequest request, Instant deadline, Done done)
      : cluster_(cluster), request_(std::move(request)), deadline_(deadline), done_(std::move(done)) {
    for (const swim::Member& member : cluster_.Members()) {
      const bool active = member.state == swim::State::kAlive || member.state == swim::State::kSuspect;
      const bool wanted = request_.node().empty() || member.node.name == request_.node();
      if (wanted && active) nodes_.push_back(member.node.name);
      if (wanted && !active && !request_.node().empty()) response_.add_unreachable_nodes(member.node.name);
    }
  }

  // From where the page before ended.
  void Begin(const std::string& token) {
    if (!request_.node().empty() && nodes_.empty() && response_.unreachable_nodes_size() == 0) {
      return done_(absl::NotFoundError(absl::StrCat("the cluster has no node ", request_.node())));
    }
    if (token.empty()) return Advance();
    std::vector<std::string> parts = absl::StrSplit(token, absl::MaxSplits(' ', 1));
    if (parts.size() != 2) return done_(NotOurToken());
    nodes_.erase(std::remove_if(nodes_.begin(), nodes_.end(), [&](const auto& node) { return node < parts[0]; }),
                 nodes_.end());
    // A node that is gone by now has no actors left to tell of.
    if (!nodes_.empty() && nodes_.front() == parts[0]) token_ = parts[1];
    Advance();
  }

 private:
  void Advance() {
    for (; next_ < nodes_.size(); Skip()) {
      const int room = static_cast<int>(request_.page_size()) - response_.actors_size();
      if (room <= 0) {
        response_.set_next_page_token(absl::StrCat(nodes_[next_], " ", token_));
        break;
      }
      absl::StatusOr<Address<NodeAgent>> agent = cluster_.Lookup<NodeAgent>(AgentName(nodes_[next_]));
      if (!agent.ok()) continue;
      actor::v1::ListActorsRequest request = request_;
      request.set_page_size(static_cast<uint32_t>(room));
      request.set_page_token(token_);
      // Half of what is left: a node that is frozen must not take the answers of all others with it.
      const Duration left = deadline_ - cluster_.system().executor().Now();
      agent->Ask(ListActorsHere{std::move(request)}, left / 2)
          .Then([self = shared_from_this()](absl::StatusOr<actor::v1::ListActorsResponse> part) {
            self->Take(std::move(part));
          });
      return;
    }
    done_(std::move(response_));
  }

  void Take(absl::StatusOr<actor::v1::ListActorsResponse> part) {
    if (part.status().code() == absl::StatusCode::kInvalidArgument) return done_(part.status());
    if (part.ok()) {
      response_.MergeFrom(*part);
      token_ = part->next_page_token();
      response_.clear_next_page_token();
      if (token_.empty()) ++next_;
    } else {
      Skip();
    }
    Advance();
  }
  // The node at hand cannot be asked.
  void Skip() {
    response_.add_unreachable_nodes(nodes_[next_++]);
    token_.clear();
  }

  Cluster& cluster_;
  const actor::v1::ListActorsRequest request_;
  const Instant deadline_;
  Done done_;
  std::vector<std::string> nodes_;
  size_t next_ = 0;
  std::string token_;
  actor::v1::ListActorsResponse response_;
};

void ActorService::ListActors(const actor::v1::ListActorsRequest& request, Duration timeout,
                              absl::AnyInvocable<void(absl::StatusOr<actor::v1::ListActorsResponse>)> done) {
  actor::v1::ListActorsRequest page = request;
  page.set_page_size(request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize));
  page.clear_page_token();
  auto listing = std::make_shared<Listing>(cluster_, std::move(page), cluster_.system().executor().Now() + timeout,
                                           std::move(done));
  listing->Begin(request.page_token());
}

}  // namespace troupe
