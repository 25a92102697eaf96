// Turns the waiting writes of all shards into one synced batch, while the next ones gather. One a node.
#ifndef TROUPE_KVSTORE_COMMIT_WRITER_H_
#define TROUPE_KVSTORE_COMMIT_WRITER_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "kvstore/storage.h"

namespace troupe {

// Answered when the batch is durable. Answers keep the order of the questions: that to a batch without writes says
// that every write asked for before it is done, which a restarted shard uses as a fence.
struct CommitBatch {
  using Result = void;
  ShardBatch batch;
};

// To itself, when the blocking pool had no room for a round.
struct TryAgain {};

// Ends the process: called when the disk's state is unknown, from any thread; it may return only under simulation.
using Exit = std::function<void(const absl::Status& reason)>;

// Limits: a shard has at most one batch here at a time, so the shards bound what waits.
class CommitWriter : public Actor<CommitWriter> {
 public:
  CommitWriter(Storage* storage, Exit exit) : storage_(storage), exit_(std::move(exit)) {}

  void Handle(CommitBatch commit, Reply<void> reply, Context& context);
  void Handle(TryAgain, Context& context) { Write(context); }

  // A writer that lost its place may have left a commit running, and a second beside it could overtake it.
  void Restarting(const absl::Status& failure, Context&) { exit_(failure); }

 private:
  struct Waiting {
    ShardBatch batch;
    Reply<void> reply;
  };

  // What one sync makes durable.
  struct Round {
    std::vector<ShardBatch> batches;
    std::vector<Reply<void>> replies;
    bool begun = false;  // the disk may hold some of it
  };

  void BeginRound(Context context);
  void Write(Context context);

  // Fixed at construction.
  Storage* const storage_;
  const Exit exit_;

  std::vector<Waiting> waiting_;
  std::shared_ptr<Round> round_;  // under way; null: none
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_COMMIT_WRITER_H_
