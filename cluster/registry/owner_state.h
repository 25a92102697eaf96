// What is known of one owner: its entries by version and by name, and how far it goes.
//
// The rules by which a delta is taken are those of chitchat, the gossip library of Quickwit, with one more (4):
//   1. One that begins above what is known is not taken: what lies between would be missed for ever.
//   2. If the sender has collected tombstones beyond what is known here, names may have been released of which nobody
//      tells any more. Then only a delta from the very beginning is taken, and replaces everything.
//   3. Otherwise it must bring something: a higher version, or a higher collection mark. (gc_version, max_version)
//      only grows, lexicographically.
//   4. After 2 the new beginning may come in pieces, and until it has passed the collection mark (gc_version above
//      max_version) nothing is taken from a sender with a lower mark: it may still hold what has been released since.
#ifndef TROUPE_CLUSTER_REGISTRY_OWNER_STATE_H_
#define TROUPE_CLUSTER_REGISTRY_OWNER_STATE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "actor/time.h"
#include "cluster/registry/name_index.h"
#include "cluster/registry/types.h"

namespace troupe {

class OwnerState {
 public:
  // The index outlives it.
  OwnerState(RegistryOwner owner, NameIndex& index);
  ~OwnerState();

  OwnerState(const OwnerState&) = delete;
  OwnerState& operator=(const OwnerState&) = delete;

  const RegistryOwner& owner() const { return owner_; }
  OwnerDigest Digest() const { return {owner_, max_version_, gc_version_}; }
  uint64_t max_version() const { return max_version_; }
  // Tombstones count.
  size_t size() const { return entries_.size(); }
  size_t tombstones() const { return tombstones_.size(); }
  // Tombstones are found too. Nothing: the owner never held the name, or all about it has been collected.
  const RegistryEntry* Find(std::string_view name) const;

  // For the owner itself, the only one who writes. The entry gets the next version.
  void Write(RegistryEntry entry, Instant now);
  void SetGeneration(uint64_t generation) { owner_.generation = generation; }
  // Drops tombstones of kTombstoneAge that are not above version `passed`, but never the newest entry: the last
  // entry always bears max_version, so that whoever has got all entries knows that these are all.
  void Collect(Instant now, uint64_t passed);

  // For everybody else.
  enum class Verdict {
    kTaken,
    kNothingNew,
    kGap,      // rules 1 and 2: ask by digest
    kTooMany,  // more names than an owner may have
  };
  Verdict Apply(const RegistryDelta& delta);

  // The version from which somebody needs to be told, who knows `theirs` of this same owner. Nothing: they lack
  // nothing, or could not use it.
  std::optional<uint64_t> MissingFrom(const OwnerDigest& theirs) const;
  // Entries from there on until the next would exceed `max_bytes`.
  RegistryDelta Since(uint64_t version, size_t max_bytes) const;

 private:
  void Put(RegistryEntry entry, Instant now);
  void Erase(std::map<uint64_t, RegistryEntry>::iterator entry);
  void DropAll();
  // Drops what gc_version_ says has been collected, but never the newest entry: see Collect.
  void SweepTombstones();

  RegistryOwner owner_;
  NameIndex& index_;
  uint64_t max_version_ = 0;
  uint64_t gc_version_ = 0;
  std::map<uint64_t, RegistryEntry> entries_;                 // by version
  std::map<std::string_view, const RegistryEntry*> by_name_;  // the keys are the entries' own
  std::map<uint64_t, Instant> tombstones_;  // their versions, and when they were written, for the owner
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_OWNER_STATE_H_
