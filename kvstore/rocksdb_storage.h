// A Storage on one RocksDB with its write-ahead log on: a Commit is one WriteBatch and one fsync.
//
// Keys and values, format 1 (numbers are big-endian, so that bytewise order is numeric order):
//
//   'd' shard(2) key   ->  version(8) value      a record
//   'r' shard(2)       ->  revision(8)           the shard's revision; missing before its first write
//
// Inside a shard, keys are in bytewise order.
//
// Opening is strict: an incomplete record at the end of the log, as a crash leaves it, is dropped; other damage is
// kDataLoss. RocksDB's default would drop all that follows the damage and say nothing. Two things RocksDB cannot tell
// from a crash in any mode that accepts one, and committed writes go with them: a live log that was cut short or
// removed, and a damaged record length in the log's last 32 KiB, from there on.
#ifndef TROUPE_KVSTORE_ROCKSDB_STORAGE_H_
#define TROUPE_KVSTORE_ROCKSDB_STORAGE_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "kvstore/storage.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace troupe {

class RocksDbStorage : public Storage {
 public:
  // Makes `directory` when it is missing; its parent must exist. RocksDB locks it until destruction.
  //   kFailedPrecondition: it is open already, here or in another process.
  //   kDataLoss:           what it holds is damaged.
  enum class IfMissing { kCreate, kFail };
  // kFail: a store that is not there is kDataLoss, since an empty one would give versions a second time.
  static absl::StatusOr<std::unique_ptr<RocksDbStorage>> Open(const std::string& directory,
                                                              IfMissing if_missing = IfMissing::kCreate);

  // No call may be under way. Everything committed is on disk already, so this is quick.
  ~RocksDbStorage() override;

  absl::Status Commit(const std::vector<ShardBatch>& batches) override;
  absl::StatusOr<ReadResult> Read(ShardId shard, const std::vector<std::string>& keys) override;
  absl::StatusOr<ScanResult> Scan(const ScanRequest& request) override;
  absl::StatusOr<StorageStats> Stats() override;

 private:
  RocksDbStorage(std::string directory, std::unique_ptr<rocksdb::DB> db);

  // The status of the Commit that failed, OK before.
  absl::Status Failure() const;
  absl::Status ToAbsl(const rocksdb::Status& status, std::string_view doing) const;

  const std::string directory_;
  const std::unique_ptr<rocksdb::DB> db_;

  // Set once, after failure_.
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;
  absl::Status failure_;  // guarded by mutex_
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_ROCKSDB_STORAGE_H_
