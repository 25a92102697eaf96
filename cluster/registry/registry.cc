#include "cluster/registry/registry.h"

#include <glog/logging.h>

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace troupe {
namespace {

bool IsText(const std::string& text) { return !text.empty() && text.size() <= kMaxRegistryText; }

}  // namespace

Registry::Registry(RegistryOwner self)
    : self_(*owners_.emplace(self.node, std::make_unique<OwnerState>(self, index_)).first->second) {
  CHECK(IsText(self.node) && IsText(self.node_id)) << "a node's name and id have 1 to " << kMaxRegistryText << " bytes";
}

void Registry::SetGeneration(uint64_t generation) {
  CHECK_GE(generation, self().generation) << "a node's generation never falls";
  self_.SetGeneration(generation);
}

absl::Status Registry::Claim(const std::string& name, uint64_t actor, const std::string& type, Instant now) {
  if (!IsText(name) || type.size() > kMaxRegistryText) {
    return absl::InvalidArgumentError(absl::StrCat("a registered name has 1 to ", kMaxRegistryText,
                                                   " bytes and its type at most as many, not ", name.size(), " and ",
                                                   type.size()));
  }
  const RegistryEntry* before = self_.Find(name);
  if (before != nullptr && !before->tombstone) {
    if (before->actor == actor) return absl::OkStatus();
    return absl::AlreadyExistsError(absl::StrCat("the name '", name, "' belongs to another actor of this node"));
  }
  if (before == nullptr && self_.size() >= kMaxRegistryEntries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node holds, or has released within the last hour, ", kMaxRegistryEntries, " names"));
  }
  lamport_ = std::min(lamport_ + 1, kMaxLamport);
  self_.Write({.name = name, .actor = actor, .type = type, .lamport = lamport_}, now);
  return absl::OkStatus();
}

bool Registry::Release(std::string_view name, uint64_t actor, Instant now) {
  const RegistryEntry* held = self_.Find(name);
  if (held == nullptr || held->tombstone || held->actor != actor) return false;
  self_.Write({.name = std::string(name), .tombstone = true}, now);
  return true;
}

const NameIndex::Claim* Registry::Winner(std::string_view name, IsActive is_active) const {
  for (const NameIndex::Claim& claim : index_.Find(name)) {
    if (is_active(*claim.owner)) return &claim;
  }
  return nullptr;
}

Registry::LookupResult Registry::Lookup(std::string_view name, IsActive is_active) const {
  LookupResult result;
  if (const NameIndex::Claim* winner = Winner(name, is_active)) {
    result.found = Found{*winner->owner, *winner->entry};
  } else if (const auto& claims = index_.Find(name); !claims.empty()) {
    result.inactive = Found{*claims.front().owner, *claims.front().entry};
  }
  return result;
}

std::vector<Registry::LostName> Registry::TakeLost(IsActive is_active) {
  std::vector<LostName> news;
  std::map<std::string, std::pair<uint64_t, Found>> lost;
  auto is_self_or_active = [&](const RegistryOwner& owner) { return &owner == &self() || is_active(owner); };
  for (const std::string& name : index_.contested()) {
    const RegistryEntry* ours = self_.Find(name);
    if (ours == nullptr || ours->tombstone) continue;
    const NameIndex::Claim* winner = Winner(name, is_self_or_active);
    if (winner->entry == ours) continue;
    std::pair<uint64_t, Found> loss(ours->version, {*winner->owner, *winner->entry});
    auto told = told_.find(name);
    if (told == told_.end() || told->second != loss) news.push_back({*ours, loss.second});
    lost.emplace(name, std::move(loss));
  }
  told_ = std::move(lost);
  return news;
}

std::vector<OwnerDigest> Registry::Digest() const {
  std::vector<OwnerDigest> digest;
  digest.reserve(owners_.size() + forgotten_.size());
  for (const auto& [node, state] : owners_) digest.push_back(state->Digest());
  // Of these nothing is missing here, however much others have.
  for (const auto& [node, forgotten] : forgotten_) digest.push_back({forgotten.owner, UINT64_MAX, 0});
  return digest;
}

std::vector<RegistryDelta> Registry::DeltasFor(const std::vector<OwnerDigest>& theirs, size_t max_bytes) const {
  struct Missing {
    bool known;
    uint64_t rank;  // ascending
    const OwnerState* state;
    uint64_t from;
  };
  std::map<std::string_view, const OwnerDigest*> by_node;
  for (const OwnerDigest& digest : theirs) by_node.emplace(digest.owner.node, &digest);
  std::vector<Missing> missing;
  for (const auto& [node, state] : owners_) {
    auto known = by_node.find(node);
    if (known == by_node.end() || state->owner().Replaces(known->second->owner)) {
      missing.push_back({false, state->size(), state.get(), 0});
    } else if (known->second->owner == state->owner()) {
      if (std::optional<uint64_t> from = state->MissingFrom(*known->second)) {
        missing.push_back({true, UINT64_MAX - (state->max_version() - *from), state.get(), *from});
      }
    }
  }
  std::stable_sort(missing.begin(), missing.end(), [](const Missing& a, const Missing& b) {
    return std::tie(a.known, a.rank) < std::tie(b.known, b.rank);
  });

  std::vector<RegistryDelta> deltas;
  size_t left = std::max(max_bytes, kMinDeltaBytes);
  for (const Missing& next : missing) {
    const size_t header = WireBytes(next.state->owner());
    if (header > left) break;
    RegistryDelta delta = next.state->Since(next.from, left - header);
    // Without an entry it would say nothing, unless there is none to tell of.
    if (delta.entries.empty() && next.from < next.state->max_version()) break;
    left -= header;
    for (const RegistryEntry& entry : delta.entries) left -= WireBytes(entry);
    const bool is_whole = delta.to_version() == next.state->max_version();
    deltas.push_back(std::move(delta));
    if (!is_whole) break;
  }
  return deltas;
}

std::optional<RegistryDelta> Registry::OwnSince(uint64_t version, size_t max_bytes) const {
  if (version >= self_.max_version()) return std::nullopt;
  return self_.Since(version, std::max(max_bytes, kMinDeltaBytes) - WireBytes(self()));
}

bool Registry::Apply(const RegistryDelta& delta) {
  if (!IsWellFormed(delta)) {
    ++counters_.junk;
    return false;
  }
  if (delta.owner.node == self().node) {
    if (delta.owner == self() && delta.to_version() > self_.max_version()) ++counters_.junk;
    return false;
  }
  bool is_new = false;
  OwnerState* state = FindOrAdopt(delta.owner, is_new);
  if (state == nullptr) return false;
  switch (state->Apply(delta)) {
    case OwnerState::Verdict::kTaken:
      for (const RegistryEntry& entry : delta.entries) lamport_ = std::max(lamport_, entry.lamport);
      return true;
    case OwnerState::Verdict::kNothingNew:
      return is_new;
    case OwnerState::Verdict::kGap:
      ++counters_.gaps;
      return is_new;
    case OwnerState::Verdict::kTooMany:
      ++counters_.full;
      return is_new;
  }
  LOG(FATAL) << "no such verdict";
}

bool Registry::IsWellFormed(const RegistryDelta& delta) const {
  if (!IsText(delta.owner.node) || !IsText(delta.owner.node_id)) return false;
  uint64_t version = delta.from_version;
  for (const RegistryEntry& entry : delta.entries) {
    if (entry.version <= version) return false;
    version = entry.version;
    if (!IsText(entry.name) || entry.type.size() > kMaxRegistryText || entry.lamport > kMaxLamport) return false;
  }
  return true;
}

OwnerState* Registry::FindOrAdopt(const RegistryOwner& owner, bool& is_new) {
  auto known = owners_.find(owner.node);
  if (known != owners_.end()) {
    if (known->second->owner() == owner) return known->second.get();
    if (!owner.Replaces(known->second->owner())) return nullptr;
  } else {
    auto forgotten = forgotten_.find(owner.node);
    if (forgotten != forgotten_.end() && !owner.Replaces(forgotten->second.owner)) return nullptr;
    if (owners_.size() >= kMaxRegistryOwners) {
      ++counters_.full;
      return nullptr;
    }
  }
  is_new = true;
  forgotten_.erase(owner.node);
  std::unique_ptr<OwnerState>& state = owners_[owner.node];
  state = std::make_unique<OwnerState>(owner, index_);
  return state.get();
}

void Registry::Forget(const RegistryOwner& owner, Instant now) {
  CHECK(owner.node != self().node) << "a node does not forget itself";
  auto known = owners_.find(owner.node);
  if (known != owners_.end()) {
    if (known->second->owner().Replaces(owner)) return;
    owners_.erase(known);
  }
  if (forgotten_.size() >= kMaxRegistryOwners) {
    forgotten_.erase(std::min_element(forgotten_.begin(), forgotten_.end(),
                                      [](const auto& a, const auto& b) { return a.second.since < b.second.since; }));
  }
  forgotten_[owner.node] = {owner, now};
}

void Registry::Collect(Instant now, uint64_t passed) {
  self_.Collect(now, passed);
  for (auto it = forgotten_.begin(); it != forgotten_.end();) {
    it = it->second.since + kForgottenAge <= now ? forgotten_.erase(it) : std::next(it);
  }
}

Registry::Sizes Registry::sizes() const {
  return {owners_.size(), forgotten_.size(), index_.size(), index_.contested().size(),
          self_.size(),   self_.tombstones()};
}

}  // namespace troupe
