// A Storage in memory, for tests and simulation.
//
// What a disk would keep is in a MemoryDisk of its own, so that a simulated node can be destroyed and built again
// from the same disk. Ordered maps only: the same calls give the same answers.
#ifndef TROUPE_KVSTORE_MEMORY_STORAGE_H_
#define TROUPE_KVSTORE_MEMORY_STORAGE_H_

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kvstore/storage.h"

namespace troupe {

// Opaque; empty when made. May be under several MemoryStorages.
class MemoryDisk {
 private:
  friend class MemoryStorage;

  struct Shard {
    uint64_t revision = 0;
    std::map<std::string, Record> records;
  };

  std::mutex mutex_;
  std::map<ShardId, Shard> shards_;  // guarded by mutex_
};

class MemoryStorage : public Storage {
 public:
  // What the disk holds of a Commit that failed. The caller is not told which.
  enum class FailedCommit { kLost, kWritten };

  explicit MemoryStorage(std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>());

  // Lets the next Commit fail with `status` (not OK), and every call after it as the interface says. A new
  // MemoryStorage on the same disk is well again.
  void FailNextCommit(absl::Status status, FailedCommit outcome = FailedCommit::kLost);

  absl::Status Commit(const std::vector<ShardBatch>& batches) override;
  absl::StatusOr<ReadResult> Read(ShardId shard, const std::vector<std::string>& keys) override;
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request) override;
  absl::StatusOr<StorageStats> Stats() override;

 private:
  struct Fault {
    absl::Status status;
    FailedCommit outcome;
  };

  void Apply(const ShardBatch& batch);

  const std::shared_ptr<MemoryDisk> disk_;

  // Guarded by disk_->mutex_.
  std::optional<Fault> next_fault_;
  absl::Status failure_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_MEMORY_STORAGE_H_
