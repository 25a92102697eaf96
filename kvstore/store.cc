#include "kvstore/store.h"

#include <utility>

#include "kvstore/limits.h"

namespace troupe {
namespace {

// A shard asks once for each of its rounds, so there is never more.
constexpr size_t kWriterMailbox = 4096;

SpawnOptions ShardOptions() {
  return {.mailbox_capacity = kMaxWaitingWrites + kMaxWaitingReads,
          .on_failure = OnFailure::kRestart,
          // The pauses alone keep it under this limit: a shard is never given up while its node lives.
          .restart_limit = {.max_restarts = 1000, .within = absl::Seconds(60)},
          .restart_backoff = {.initial = absl::Milliseconds(100), .max = absl::Seconds(10)}};
}

}  // namespace

void Store::Started(Context& context) {
  Address<CommitWriter> writer = context.Spawn<CommitWriter>({.mailbox_capacity = kWriterMailbox}, storage_, exit_);
  absl::Status registered = context.system().Register("commit-writer", writer);
  for (ShardId shard = 0; shard < map_.size() && registered.ok(); ++shard) {
    Address<ShardActor> actor = context.Spawn<ShardActor>(ShardOptions(), shard, map_.RangeOf(shard), storage_, writer);
    registered = cluster_.Register(ShardName(shard), actor);
  }
  if (!registered.ok()) context.Fail(std::move(registered));
}

void Store::Handle(GetStorageStats, Reply<StorageStats> reply, Context& context) {
  waiting_for_stats_.push_back(std::move(reply));
  if (waiting_for_stats_.size() > 1) return;
  context.RunBlocking([storage = storage_] { return storage->Stats(); },
                      [this](absl::StatusOr<StorageStats> stats) {
                        for (Reply<StorageStats>& waiting : std::exchange(waiting_for_stats_, {})) waiting(stats);
                      });
}

}  // namespace troupe
