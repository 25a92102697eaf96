#include "cluster/cluster.h"

#include <glog/logging.h>

namespace troupe {
namespace {

// Frames that wait for the membership's actor; and how many of them may be the registry's, which are large, and told
// again, and must not push out the others.
constexpr size_t kMailbox = 1024;
constexpr int kMaxRegistryFrames = 128;

}  // namespace

Cluster::Cluster(ClusterOptions options, ActorSystem& system, Transport& transport, NodeMemory& memory)
    : system_(system),
      transport_(transport),
      memory_(memory),
      options_(std::move(options)),
      directory_(options_.self),
      actors_(system, messages_, transport, options_.self) {}

void Cluster::Start() {
  membership_ = system_.Spawn<Membership>(
      SpawnOptions{.mailbox_capacity = kMailbox, .overflow = Overflow::kDropOldest},
      MembershipOptions{options_.self, options_.seeds, options_.swim, options_.random, options_.refused}, &directory_,
      &transport_, &actors_, &memory_);
  // Nobody else has a name here yet.
  (void)system_.Register("membership", membership_);
  transport_.Start(*this);
  membership_.Tell(BeginToJoin{});
}

absl::Status Cluster::Claim(const std::string& name, const std::shared_ptr<Cell>& actor, const std::string& type,
                            std::function<void(NameLost)> on_lost) {
  const Instant now = system_.executor().Now();
  absl::Status claimed = directory_.WithRegistry([&](Registry& registry) {
    // An actor that had the name here has just terminated, else it could not have been registered again.
    const auto own = registry.Lookup(name, [&](const RegistryOwner& owner) { return owner == registry.self(); });
    if (own.found.has_value()) registry.Release(name, own.found->claim.actor, now);
    return registry.Claim(name, actor->id().value, type, now);
  });
  if (!claimed.ok()) return claimed;
  membership_.Tell(NameClaimed{name, actor, std::move(on_lost)});
  return absl::OkStatus();
}

absl::Status Cluster::CheckHolder(std::string_view name, const Directory::Holder& holder, const std::type_info& type) {
  const absl::string_view text(name.data(), name.size());
  if (!holder.reachable) {
    return absl::UnavailableError(absl::StrCat(text, " lives on node ", holder.node.name,
                                               holder.restarted ? ", which is starting again" : ", which is dead"));
  }
  if (holder.type != TypeName(type)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the actor ", text, " is a ", holder.type, ", not a ", TypeName(type)));
  }
  return absl::OkStatus();
}

void Cluster::OnFrame(const std::string& peer, Lane lane, std::string bytes) {
  if (lane == Lane::kControl) {
    membership_.Tell(ControlFrame{peer, std::move(bytes)});
    return;
  }
  internal::v1::ActorFrame frame;
  if (lane != Lane::kActors || !frame.ParseFromString(bytes)) {
    return actors_.CountJunk(peer, absl::StrCat(bytes.size(), " bytes that are no frame of ours"));
  }
  if (frame.has_registry_digest() || frame.has_registry_deltas()) {
    std::shared_ptr<void> place(nullptr, [waiting = registry_frames_](void*) { waiting->fetch_sub(1); });
    if (registry_frames_->fetch_add(1) >= kMaxRegistryFrames) return;
    membership_.Tell(RegistryFrame{peer, std::move(frame), std::move(place)});
    return;
  }
  actors_.OnFrame(peer, std::move(frame));
}

void Cluster::OnLost(const std::string& peer, Lane lane, const FrameLoss& loss) {
  if (lane == Lane::kActors) actors_.OnLost(peer, loss);
}

}  // namespace troupe
