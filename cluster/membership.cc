#include "cluster/membership.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cluster/registry_wire.h"
#include "cluster/swim_wire.h"

namespace troupe {
namespace {

constexpr Duration kHousekeeping = absl::Seconds(1);
// After this time a node that was in the cluster before serves, whether the others answer or not.
constexpr Duration kJoinPatience = absl::Seconds(3);
constexpr size_t kMaxDeltaBytes = 256 << 10;
// A new name is pushed to so many peers at once; the others learn it from the digests.
constexpr size_t kPushTo = 8;
constexpr size_t kMaxSavedPeers = 64;
// While the disk holds everything up; what comes then is dropped, as datagrams may be.
constexpr size_t kMaxHeldEffects = 1024;
constexpr Duration kPersistAgain = absl::Milliseconds(100);

}  // namespace

Membership::Membership(MembershipOptions options, Directory* directory, Transport* transport, RemoteActors* actors,
                       NodeMemory* memory)
    : options_(std::move(options)),
      directory_(*directory),
      transport_(*transport),
      actors_(*actors),
      memory_(*memory),
      swim_(options_.swim, options_.self.cluster_id,
            {options_.self.name, options_.self.node_id, options_.self.generation, options_.self.address},
            options_.random.Split("swim")),
      random_(options_.random.Split("membership")) {}

void Membership::Started(Context& context) {
  started_ = context.Now();
  context.Every(kHousekeeping, HousekeepingDue{});
  directory_.SetMembers(swim_.Members());
}

void Membership::Restarting(const absl::Status& failure, Context&) {
  options_.refused(absl::Status(failure.code(), absl::StrCat("the membership failed: ", failure.message())));
}

// SWIM.

void Membership::Handle(BeginToJoin, Context& context) {
  swim::Effects effects;
  // Without seeds and without a cluster there is nobody to ask, which it says.
  if (!options_.seeds.empty() || swim_.cluster_id().empty()) swim_.Join(context.Now(), options_.seeds, effects);
  CarryOut(std::move(effects), context);
}

void Membership::Handle(ControlFrame frame, Context& context) {
  absl::StatusOr<swim::Message> message = DecodeSwimMessage(frame.bytes);
  if (!message.ok()) return actors_.CountJunk(frame.peer, std::string(message.status().message()));
  if (after_persisting_.size() >= kMaxHeldEffects) return;
  swim::Effects effects;
  swim_.Receive(context.Now(), *message, effects);
  CarryOut(std::move(effects), context);
}

void Membership::Handle(SwimDue, Context& context) {
  timer_.reset();
  // CarryOut arms it again when the disk is done.
  if (after_persisting_.size() >= kMaxHeldEffects) return;
  swim::Effects effects;
  swim_.Tick(context.Now(), effects);
  CarryOut(std::move(effects), context);
}

void Membership::CarryOut(swim::Effects effects, Context& context) {
  ArmTimer(context);
  if (persisting_) {
    after_persisting_.push_back(std::move(effects));
    return;
  }
  if (!effects.generation.has_value() && !effects.cluster_id.has_value()) {
    return SendAndTell(std::move(effects), context);
  }
  persisting_ = true;
  after_persisting_.push_back(std::move(effects));
  Persist(context);
}

void Membership::Persist(Context& context) {
  // The newest of both: effects that wait may have raised them again.
  const std::string cluster_id = swim_.cluster_id();
  const uint64_t generation = swim_.self().generation;
  context.RunBlocking(
      [memory = &memory_, cluster_id, generation] { return memory->SaveIdentity(cluster_id, generation); },
      [this, context, cluster_id, generation](absl::Status saved) mutable {
        // The blocking pool was full.
        if (absl::IsResourceExhausted(saved)) {
          LOG_EVERY_N(WARNING, 100) << "this node's identity is not saved yet: " << saved.message();
          context.After(kPersistAgain, PersistAgain{});
          return;
        }
        if (!saved.ok()) return options_.refused(saved);
        persisting_ = false;
        directory_.SetSelf(cluster_id, generation);
        actors_.SetSelf(directory_.self());
        std::deque<swim::Effects> waiting = std::exchange(after_persisting_, {});
        SendAndTell(std::move(waiting.front()), context);
        waiting.pop_front();
        for (swim::Effects& later : waiting) CarryOut(std::move(later), context);
        ArmTimer(context);
      });
}

void Membership::Handle(PersistAgain, Context& context) { Persist(context); }

void Membership::SendAndTell(swim::Effects effects, Context& context) {
  for (const swim::Outgoing& out : effects.messages) {
    absl::Status sent = transport_.Send(out.address, Lane::kControl, EncodeSwimMessage(out.message)).status();
    if (!sent.ok()) VLOG(1) << "a message to " << out.address << " was not sent: " << sent.message();
  }
  if (effects.events.empty()) return;
  directory_.SetMembers(swim_.Members());
  for (const swim::Event& event : effects.events) Tell(event, context);
  SavePeers(context);
  TellLostNames();
}

void Membership::Tell(const swim::Event& event, Context& context) {
  using Kind = swim::Event::Kind;
  const swim::Node& node = event.member.node;
  const std::string who = absl::StrCat("node ", node.name, " at ", node.address, ", run ", node.generation);
  switch (event.kind) {
    case Kind::kJoined:
    case Kind::kUpdated:
    case Kind::kRefuted:
      LOG(INFO) << who << " is alive";
      actors_.OnAlive(node);
      return SendDigest(node.address, /*answer_with_digest=*/true);
    case Kind::kSuspected:
      LOG(INFO) << who << " does not answer";
      return;
    case Kind::kDied:
    case Kind::kLeft:
      LOG(WARNING) << who << (event.kind == Kind::kDied ? " is dead" : " has left");
      actors_.OnDead(node);
      transport_.Disconnect(node.address);
      unheard_.erase(node.address);
      return AnswerIfJoined(context);
    case Kind::kConflict:
      LOG(WARNING) << event.text;
      return;
    case Kind::kAdmitted:
      LOG(INFO) << "in cluster " << swim_.cluster_id() << ", run " << swim_.self().generation;
      admitted_ = true;
      for (const std::string& peer : LivePeers()) {
        unheard_.insert(peer);
        SendDigest(peer, /*answer_with_digest=*/true);
      }
      return AnswerIfJoined(context);
    case Kind::kRefused:
      return options_.refused(absl::FailedPreconditionError(event.text));
    case Kind::kNoAnswer:
      LOG(WARNING) << event.text;
      return;
  }
}

void Membership::ArmTimer(Context& context) {
  const Instant due = swim_.NextDeadline();
  if (timer_.has_value() && timer_due_ == due) return;
  if (timer_.has_value()) context.Cancel(*timer_);
  timer_due_ = due;
  timer_ = context.After(std::max(due - context.Now(), absl::ZeroDuration()), SwimDue{});
}

// Being in.

void Membership::Handle(AwaitJoined, Reply<void> reply, Context& context) {
  waiting_for_join_.push_back(std::move(reply));
  AnswerIfJoined(context);
}

void Membership::AnswerIfJoined(Context& context) {
  const bool known_before = !options_.self.cluster_id.empty();
  // Else it would wait for as long as the others are down.
  const bool alone = known_before && (options_.seeds.empty() || context.Now() - started_ >= kJoinPatience);
  if (!(admitted_ && unheard_.empty()) && !alone) return;
  for (Reply<void>& waiting : std::exchange(waiting_for_join_, {})) waiting(absl::OkStatus());
}

void Membership::Handle(HousekeepingDue, Context& context) {
  actors_.Tick();
  const std::vector<std::string> peers = LivePeers();
  if (!peers.empty()) SendDigest(peers[random_.Below(peers.size())], /*answer_with_digest=*/true);
  AnswerIfJoined(context);
  SavePeers(context);
  CollectTombstones(context.Now());
  ForgetTheForgotten(context.Now());
}

void Membership::ForgetTheForgotten(Instant now) {
  std::map<std::string, swim::Node> known;
  for (swim::Member& member : swim_.Members()) {
    if (member.node.name != options_.self.name) known.emplace(member.node.name, std::move(member.node));
  }
  directory_.WithRegistry([&](Registry& registry) {
    for (const auto& [name, node] : remembered_) {
      if (!known.contains(name)) registry.Forget({name, node.id, node.generation}, now);
    }
    for (const auto& [name, node] : known) {
      if (!remembered_.contains(name)) registry.Recall(name);
    }
  });
  for (const auto& [name, node] : remembered_) {
    if (!known.contains(name)) actors_.OnForgotten(name);
  }
  if (known.size() < remembered_.size()) directory_.SetMembers(swim_.Members());
  remembered_ = std::move(known);
}

std::vector<swim::Member> Membership::LiveMembers() const {
  std::vector<swim::Member> members;
  std::vector<swim::Member> known = swim_.Members();
  for (swim::Member& member : known) {
    const bool active = member.state == swim::State::kAlive || member.state == swim::State::kSuspect;
    if (active && member.node.name != options_.self.name) members.push_back(std::move(member));
  }
  return members;
}

std::vector<std::string> Membership::LivePeers() const {
  std::vector<std::string> peers;
  for (const swim::Member& member : LiveMembers()) peers.push_back(member.node.address);
  return peers;
}

void Membership::SavePeers(Context& context) {
  // The living first, since there is not room for all.
  std::vector<std::string> peers = LivePeers();
  for (const swim::Member& member : swim_.Members()) {
    if (member.state == swim::State::kDead) peers.push_back(member.node.address);
  }
  if (peers.size() > kMaxSavedPeers) peers.resize(kMaxSavedPeers);
  if (saving_peers_ || peers.empty() || peers == saved_peers_) return;
  saving_peers_ = true;
  context.RunBlocking([memory = &memory_, peers] { return memory->SavePeers(peers); },
                      [this, peers](absl::Status saved) {
                        saving_peers_ = false;
                        if (saved.ok()) {
                          saved_peers_ = peers;
                        } else {
                          LOG_EVERY_N(WARNING, 100) << saved.message();
                        }
                      });
}

// Names.

void Membership::Handle(NameClaimed claimed, Context& context) {
  const ActorId id = claimed.actor->id();
  if (auto lost = lost_early_.extract(id); !lost.empty() && claimed.on_lost) claimed.on_lost(std::move(lost.mapped()));
  names_[id] = {std::move(claimed.name), std::move(claimed.on_lost)};
  context.Watch(Address<ActorBase>(claimed.actor));
  PushNames();
  TellLostNames();
}

void Membership::Handle(Terminated terminated, Context& context) {
  auto name = names_.find(terminated.id);
  if (name == names_.end()) return;
  directory_.WithRegistry(
      [&](Registry& registry) { return registry.Release(name->second.name, terminated.id.value, context.Now()); });
  names_.erase(name);
  PushNames();
}

void Membership::PushNames() {
  std::vector<std::string> peers = LivePeers();
  for (size_t i = 0; i < std::min(kPushTo, peers.size()); ++i) {
    std::swap(peers[i], peers[i + random_.Below(peers.size() - i)]);
  }
  peers.resize(std::min(kPushTo, peers.size()));
  const std::optional<RegistryDelta> delta =
      directory_.WithRegistry([&](Registry& registry) { return registry.OwnSince(pushed_version_, kMaxDeltaBytes); });
  if (peers.empty() || !delta.has_value()) return;
  pushed_version_ = delta->to_version();
  for (const std::string& peer : peers) SendDeltas(peer, {*delta});
}

void Membership::SendDigest(const std::string& peer, bool answer_with_digest) {
  internal::v1::ActorFrame frame = actors_.NewFrame();
  internal::v1::RegistryDigest& digest = *frame.mutable_registry_digest();
  ToProto(directory_.WithRegistry([](Registry& registry) { return registry.Digest(); }), digest);
  digest.set_answer_with_digest(answer_with_digest);
  (void)transport_.Send(peer, Lane::kActors, frame.SerializeAsString());
}

void Membership::SendDeltas(const std::string& peer, const std::vector<RegistryDelta>& deltas) {
  internal::v1::ActorFrame frame = actors_.NewFrame();
  ToProto(deltas, *frame.mutable_registry_deltas());
  (void)transport_.Send(peer, Lane::kActors, frame.SerializeAsString());
}

void Membership::Handle(RegistryFrame in, Context& context) {
  if (swim_.cluster_id().empty() || in.frame.cluster_id() != swim_.cluster_id()) {
    return actors_.CountJunk(in.peer, "names of another cluster");
  }
  if (in.frame.has_registry_digest()) {
    const internal::v1::RegistryDigest& digest = in.frame.registry_digest();
    NoteWhatIsKnown(in.frame.from_id(), FromProto(digest));
    // Sent also when there is nothing to tell: that is what a node that joins waits for.
    SendDeltas(in.peer, directory_.WithRegistry(
                            [&](Registry& registry) { return registry.DeltasFor(FromProto(digest), kMaxDeltaBytes); }));
    if (digest.answer_with_digest()) SendDigest(in.peer, /*answer_with_digest=*/false);
    return;
  }
  for (const RegistryDelta& delta : FromProto(in.frame.registry_deltas())) {
    // Else a peer could fill the memory with names of nodes that never were. One that is news here is told again.
    if (!directory_.IsMember(delta.owner)) continue;
    directory_.WithRegistry([&](Registry& registry) { registry.Apply(delta); });
  }
  TellLostNames();
  if (unheard_.erase(in.peer) > 0) AnswerIfJoined(context);
}

void Membership::NoteWhatIsKnown(const std::string& peer_id, const std::vector<OwnerDigest>& digest) {
  for (const OwnerDigest& known : digest) {
    if (known.owner.node_id == options_.self.node_id && known.owner.generation == swim_.self().generation) {
      known_of_ours_[peer_id] = known.max_version;
    }
  }
}

void Membership::CollectTombstones(Instant now) {
  uint64_t passed = std::numeric_limits<uint64_t>::max();
  std::map<std::string, uint64_t> still_here;
  for (const swim::Member& member : LiveMembers()) {
    const uint64_t known = known_of_ours_[member.node.id];
    still_here[member.node.id] = known;
    passed = std::min(passed, known);
  }
  known_of_ours_ = std::move(still_here);
  directory_.WithRegistry([&](Registry& registry) { registry.Collect(now, passed); });
}

void Membership::TellLostNames() {
  for (const Registry::LostName& lost : directory_.TakeLostNames()) {
    const std::string& winner = lost.winner.owner.node;
    LOG(WARNING) << "the name " << lost.ours.name << " belongs to an actor on node " << winner;
    const ActorId actor{lost.ours.actor};
    auto name = names_.find(actor);
    if (name == names_.end()) {
      // The name is in the registry before Claim tells this actor of it.
      lost_early_.insert_or_assign(actor, NameLost{lost.ours.name, winner});
    } else if (name->second.on_lost) {
      name->second.on_lost(NameLost{lost.ours.name, winner});
    }
  }
}

}  // namespace troupe
