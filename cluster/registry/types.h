// What registries say to each other, and the limits of it.
#ifndef TROUPE_CLUSTER_REGISTRY_TYPES_H_
#define TROUPE_CLUSTER_REGISTRY_TYPES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "actor/time.h"

namespace troupe {

// Bytes of a name, a type, a node's name or id.
inline constexpr size_t kMaxRegistryText = 255;
// Names one owner holds or has released within the last hour.
inline constexpr size_t kMaxRegistryEntries = 1'000'000;
inline constexpr size_t kMaxRegistryOwners = 10'000;
// Where the Lamport clock stops, so that no peer can make it overflow. Claims of this time are ordered by node alone.
inline constexpr uint64_t kMaxLamport = uint64_t{1} << 62;
// How long a released name is told of at least. A node that was cut off for longer gets everything anew.
inline constexpr Duration kTombstoneAge = absl::Hours(1);
// How long a forgotten owner is not let in again by others that have yet to forget it.
inline constexpr Duration kForgottenAge = absl::Hours(24);

// One run of one node. Another run is another owner, with entries of its own.
struct RegistryOwner {
  std::string node;     // unique in the cluster
  std::string node_id;  // made with the data directory
  uint64_t generation = 0;

  bool operator==(const RegistryOwner&) const = default;

  // Of two runs of one node, the one that counts: the later, or the one that membership lets stay.
  bool Replaces(const RegistryOwner& other) const {
    return generation != other.generation ? generation > other.generation : node_id < other.node_id;
  }
};

// A claim to a name, or a tombstone: the word that the name was released. The owner gives each a version of its own;
// a name's newest entry replaces the one before.
struct RegistryEntry {
  std::string name;
  uint64_t version = 0;
  bool tombstone = false;
  // Of a claim:
  uint64_t actor = 0;
  std::string type;
  uint64_t lamport = 0;  // the time of the claim on the claimant's Lamport clock

  bool operator==(const RegistryEntry&) const = default;
};

// How much is known of an owner: everything up to max_version, but for the tombstones up to gc_version, which have been
// collected. While gc_version is above max_version what is known is of no use to others that know more.
struct OwnerDigest {
  RegistryOwner owner;
  uint64_t max_version = 0;
  uint64_t gc_version = 0;

  bool operator==(const OwnerDigest&) const = default;
};

// All entries of an owner with versions above from_version and up to the last one's, ascending, as known to a sender
// that has collected tombstones up to gc_version.
struct RegistryDelta {
  RegistryOwner owner;
  uint64_t from_version = 0;
  uint64_t gc_version = 0;
  std::vector<RegistryEntry> entries;

  uint64_t to_version() const { return entries.empty() ? from_version : entries.back().version; }
};

// Budgets for deltas below this count as this: so much takes one delta with one entry of the longest texts.
inline constexpr size_t kMinDeltaBytes = 2 * kMaxRegistryText + 64 + 2 * kMaxRegistryText + 48;

// No more than this on the wire: texts, and numbers at their longest.
inline size_t WireBytes(const RegistryEntry& entry) { return entry.name.size() + entry.type.size() + 48; }
// Of a delta without its entries.
inline size_t WireBytes(const RegistryOwner& owner) { return owner.node.size() + owner.node_id.size() + 64; }

}  // namespace troupe

#endif  // TROUPE_CLUSTER_REGISTRY_TYPES_H_
