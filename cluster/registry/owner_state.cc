#include "cluster/registry/owner_state.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace troupe {

OwnerState::OwnerState(RegistryOwner owner, NameIndex& index) : owner_(std::move(owner)), index_(index) {}

OwnerState::~OwnerState() { DropAll(); }

const RegistryEntry* OwnerState::Find(std::string_view name) const {
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void OwnerState::Write(RegistryEntry entry, Instant now) {
  entry.version = ++max_version_;
  Put(std::move(entry), now);
}

void OwnerState::Collect(Instant now, uint64_t passed) {
  uint64_t gc_version = gc_version_;
  // Versions and times ascend together.
  for (const auto& [version, written] : tombstones_) {
    if (written + kTombstoneAge > now || version > passed) break;
    gc_version = version;
  }
  gc_version_ = gc_version;
  SweepTombstones();
}

OwnerState::Verdict OwnerState::Apply(const RegistryDelta& delta) {
  if (delta.from_version > max_version_) return Verdict::kGap;
  const bool collected_beyond = delta.gc_version > gc_version_ && delta.gc_version > max_version_;
  if (collected_beyond) {
    if (delta.from_version != 0) return Verdict::kGap;
  } else {
    const bool starting_over = gc_version_ > max_version_;
    if (starting_over && delta.gc_version < gc_version_) return Verdict::kNothingNew;
    if (delta.to_version() <= max_version_ && delta.gc_version <= gc_version_) return Verdict::kNothingNew;
  }
  // Twice, since a copy may still hold tombstones that its owner has dropped.
  if (entries_.size() + delta.entries.size() > 2 * kMaxRegistryEntries) return Verdict::kTooMany;

  if (collected_beyond) {
    DropAll();
    max_version_ = 0;
  }
  gc_version_ = std::max(gc_version_, delta.gc_version);
  const uint64_t known = max_version_;
  for (const RegistryEntry& entry : delta.entries) {
    if (entry.version > known) Put(entry, Instant());
  }
  max_version_ = std::max(max_version_, delta.to_version());
  SweepTombstones();
  return Verdict::kTaken;
}

std::optional<uint64_t> OwnerState::MissingFrom(const OwnerDigest& theirs) const {
  const bool collected_beyond = gc_version_ > theirs.gc_version && gc_version_ > theirs.max_version;
  const bool starting_over = theirs.gc_version > theirs.max_version;
  if (starting_over && gc_version_ < theirs.gc_version) return std::nullopt;
  if (max_version_ < theirs.max_version) return std::nullopt;
  if (max_version_ == theirs.max_version && gc_version_ <= theirs.gc_version) return std::nullopt;
  return collected_beyond ? 0 : theirs.max_version;
}

RegistryDelta OwnerState::Since(uint64_t version, size_t max_bytes) const {
  RegistryDelta delta{owner_, version, gc_version_, {}};
  size_t bytes = 0;
  for (auto entry = entries_.upper_bound(version); entry != entries_.end(); ++entry) {
    bytes += WireBytes(entry->second);
    if (bytes > max_bytes) break;
    delta.entries.push_back(entry->second);
  }
  return delta;
}

void OwnerState::Put(RegistryEntry entry, Instant now) {
  if (auto before = by_name_.find(entry.name); before != by_name_.end()) Erase(entries_.find(before->second->version));
  const uint64_t version = entry.version;
  auto [added, is_new] = entries_.emplace(version, std::move(entry));
  CHECK(is_new) << owner_.node << " has two entries of version " << version;
  by_name_.emplace(added->second.name, &added->second);
  if (added->second.tombstone) {
    tombstones_.emplace(version, now);
  } else {
    index_.Add(owner_, added->second);
  }
}

void OwnerState::Erase(std::map<uint64_t, RegistryEntry>::iterator entry) {
  if (entry->second.tombstone) {
    tombstones_.erase(entry->first);
  } else {
    index_.Remove(owner_, entry->second);
  }
  by_name_.erase(entry->second.name);
  entries_.erase(entry);
}

void OwnerState::DropAll() {
  while (!entries_.empty()) Erase(entries_.begin());
}

void OwnerState::SweepTombstones() {
  while (!tombstones_.empty()) {
    const uint64_t oldest = tombstones_.begin()->first;
    if (oldest > gc_version_ || oldest == max_version_) return;
    Erase(entries_.find(oldest));
  }
}

}  // namespace troupe
