// Which node holds which name, as one node knows it. A pure core: no thread, clock, socket or encoding is inside. The
// front door of this folder.
//
// Each node owns its own entries and nobody else writes them, so there is nothing to merge: the others hold copies
// that lag. The way of one name: the owner's Claim gives it the next version; OwnSince hands it to whoever is pushed
// to; where a push is lost, a peer's Digest shows that it lacks the version, and DeltasFor answers with what is
// missing; there Apply takes it, and Lookup finds it.
//
// A lookup is a function of claims and membership alone: of the claims by active owners the lowest (lamport, node)
// wins, on every node the same. A node's death therefore writes nothing here, and one that was only held for dead has
// its names back at once. That a name is held once is so when everybody has heard of everything, not before: during a
// partition both sides may hold it, and the loser learns of it afterwards from TakeLost. What must never be held twice
// needs a lease in the store.
//
// Read next: types.h (entries, digests, deltas, limits), owner_state.h (when a delta is taken), name_index.h.
#ifndef TROUPE_CLUSTER_REGISTRY_REGISTRY_H_
#define TROUPE_CLUSTER_REGISTRY_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "actor/time.h"
#include "cluster/registry/name_index.h"
#include "cluster/registry/owner_state.h"
#include "cluster/registry/types.h"

namespace troupe {

// Not thread-safe. A lookup costs O(log names); DeltasFor, O(owners log owners) and what it returns.
class Registry {
 public:
  // Whether membership holds this run of that node for alive (or suspects it only).
  using IsActive = absl::FunctionRef<bool(const RegistryOwner&)>;

  struct Found {
    RegistryOwner owner;
    RegistryEntry claim;

    bool operator==(const Found&) const = default;
  };
  struct LookupResult {
    std::optional<Found> found;
    // When nothing is found: the best claim by an owner that is not active, so that an error can name it.
    std::optional<Found> inactive;
  };
  struct LostName {
    RegistryEntry ours;
    Found winner;
  };
  struct Sizes {
    size_t owners = 0;
    size_t forgotten = 0;
    size_t names = 0;
    size_t contested = 0;    // names with more than one claim
    size_t own_entries = 0;  // with own_tombstones
    size_t own_tombstones = 0;
  };
  // Deltas not taken, counted since construction.
  struct Counters {
    uint64_t junk = 0;  // against the rules of types.h, or about what only this node can write
    uint64_t gaps = 0;  // something before it is missing; harmless, the next digest asks for it
    uint64_t full = 0;  // of an owner past the limit of owners, or with too many entries
  };

  explicit Registry(RegistryOwner self);

  const RegistryOwner& self() const { return self_.owner(); }
  uint64_t max_version() const { return self_.max_version(); }
  // The node was given a higher generation when it joined: the entries become the new owner's, versions go on.
  void SetGeneration(uint64_t generation);

  // kAlreadyExists: another actor of this node holds the name. kInvalidArgument: the name is empty, or name or type is
  // too long. kResourceExhausted: kMaxRegistryEntries. A repeated claim changes nothing. That another node holds the
  // name is no error: see TakeLost. A node that has heard of no other yet has a clock far behind, and wins over claims
  // that are long there: let it Apply a member's deltas first.
  absl::Status Claim(const std::string& name, uint64_t actor, const std::string& type, Instant now);
  // False, and nothing happens, unless this actor holds the name here.
  bool Release(std::string_view name, uint64_t actor, Instant now);

  LookupResult Lookup(std::string_view name, IsActive is_active) const;
  // The names that this node holds but others win, each told once for each winner. This node itself counts as active.
  // Costs O(contested names).
  std::vector<LostName> TakeLost(IsActive is_active);

  // What is known here, ascending by node. Who answers it does not send what has been forgotten here.
  std::vector<OwnerDigest> Digest() const;
  // What `theirs` lacks, within max_bytes on the wire: owners they do not know first, the smallest of them first, so
  // that a large one hides none; then those they are furthest behind with. What does not fit follows when they send
  // their next digest.
  std::vector<RegistryDelta> DeltasFor(const std::vector<OwnerDigest>& theirs, size_t max_bytes) const;
  // This node's own entries above that version, within max_bytes; nothing when there are none.
  std::optional<RegistryDelta> OwnSince(uint64_t version, size_t max_bytes) const;
  // Whether anything here has changed. What is not taken is harmless, see Counters.
  bool Apply(const RegistryDelta& delta);

  // Membership has forgotten the node: drops what its runs up to this one hold, and for kForgottenAge takes it from
  // nobody. Not for this node itself.
  void Forget(const RegistryOwner& owner, Instant now);
  // Membership knows the node again.
  void Recall(const std::string& node) { forgotten_.erase(node); }
  // To be called now and then. Drops this node's tombstones that are old enough and not above `passed`: the lowest
  // max_version of this run in the latest digests of all active members, 0 while one has sent none.
  void Collect(Instant now, uint64_t passed);

  Sizes sizes() const;
  const Counters& counters() const { return counters_; }

 private:
  struct Forgotten {
    RegistryOwner owner;  // and all runs before
    Instant since;
  };

  bool IsWellFormed(const RegistryDelta& delta) const;
  // The state of this owner, made when it is new. Null: it is forgotten, replaced by a later run, or one too many.
  OwnerState* FindOrAdopt(const RegistryOwner& owner, bool& is_new);
  const NameIndex::Claim* Winner(std::string_view name, IsActive is_active) const;

  NameIndex index_;                                            // outlives the owners
  std::map<std::string, std::unique_ptr<OwnerState>> owners_;  // by node: one run of each
  OwnerState& self_;
  std::map<std::string, Forgotten> forgotten_;  // by node; none that is in owners_
  uint64_t lamport_ = 0;                        // the highest seen
  // What TakeLost has told: name -> our version and the winner.
  std::map<std::string, std::pair<uint64_t, Found>> told_;
  Counters counters_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_REGISTRY_H_
