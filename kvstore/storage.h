// Where shards keep their keys: the promise of a disk, behind which RocksDB and a map in memory stand.
//
//   Threads:  any thread may call anything, at any time.
//   Blocking: every call may block on the disk. Actors call it on the blocking pool only.
//   Order:    a Read that begins after a Commit has returned sees it. One that overlaps it sees all of the
//             Commit's writes to its shard or none.
//   Errors:   a Commit that fails has an unknown outcome, on the disk and in memory. The caller ends the process
//             and starts again from what the disk holds; nothing else is sound, so every call that begins after
//             the failure returns its status. Damage that is read (kDataLoss) fails that call, and whatever shares
//             its round.
//
// A shard's revision counts its writes: it is stored with them, grows by Commit alone, and so a version (the
// revision of a key's last write) is never given twice, also not after a delete or a restart.
#ifndef TROUPE_KVSTORE_STORAGE_H_
#define TROUPE_KVSTORE_STORAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace troupe {

// 0 to 65,535 by format; 64 of them are in use.
using ShardId = uint16_t;

// One key's last write.
struct Record {
  std::string value;
  uint64_t version = 0;

  bool operator==(const Record&) const = default;
};

// A write of one key. No value: the key is removed.
struct KeyWrite {
  std::string key;
  std::optional<std::string> value;
  // The shard's revision with this write: above that of the shard's last one. Gaps are allowed.
  uint64_t revision = 0;
};

// Writes of one shard, in order.
struct ShardBatch {
  ShardId shard = 0;
  std::vector<KeyWrite> writes;
};

// Answers of one moment.
struct ReadResult {
  // The shard's revision then; 0 before its first write.
  uint64_t revision = 0;
  // In the order of the keys asked for; none where a key does not exist.
  std::vector<std::optional<Record>> records;
};

struct ScanRequest {
  ShardId shard = 0;
  // Only keys that begin so.
  std::string prefix = {};
  // Only keys after this one.
  std::optional<std::string> after = std::nullopt;
  // The scan ends at max_entries, or before the entry with which its keys and values would exceed max_bytes; the
  // first entry is given whatever its size.
  size_t max_entries = 0;
  size_t max_bytes = 0;
  // Leaves the values out; they do not count towards max_bytes then.
  bool keys_only = false;
};

struct ScanResult {
  uint64_t revision = 0;
  struct Entry {
    std::string key;
    Record record;
  };
  // Ascending by key.
  std::vector<Entry> entries;
  // Whether keys of the request's range remain after the last entry.
  bool more = false;
};

struct StorageStats {
  // Of all shards; bytes are those of keys and values. Exact up to 10,000 keys. Above, RocksDB estimates: it counts a
  // key again for each overwrite until a compaction, and bytes as they lie on disk.
  uint64_t approximate_keys = 0;
  uint64_t approximate_bytes = 0;
};

class Storage {
 public:
  virtual ~Storage() = default;

  // Makes all batches durable, all or none, with one sync. A shard may stand in several batches; they apply in
  // order.
  virtual absl::Status Commit(const std::vector<ShardBatch>& batches) = 0;

  virtual absl::StatusOr<ReadResult> Read(ShardId shard, const std::vector<std::string>& keys) = 0;

  virtual absl::StatusOr<ScanResult> Scan(const ScanRequest& request) = 0;

  virtual absl::StatusOr<StorageStats> Stats() = 0;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_STORAGE_H_
