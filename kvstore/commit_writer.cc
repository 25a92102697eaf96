#include "kvstore/commit_writer.h"

#include <utility>

namespace troupe {

void CommitWriter::Handle(CommitBatch commit, Reply<void> reply, Context& context) {
  waiting_.push_back(Waiting{std::move(commit.batch), std::move(reply)});
  if (!writing_) WriteRound(context);
}

void CommitWriter::WriteRound(Context context) {
  writing_ = true;
  std::vector<ShardBatch> batches;
  std::vector<Reply<void>> replies;
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    if (!waiting.batch.writes.empty()) batches.push_back(std::move(waiting.batch));
    replies.push_back(std::move(waiting.reply));
  }
  auto commit = [storage = storage_, batches = std::move(batches)] {
    return batches.empty() ? absl::OkStatus() : storage->Commit(batches);
  };
  context.RunBlocking(std::move(commit), [this, context, replies = std::move(replies)](absl::Status committed) mutable {
    if (!committed.ok()) {
      // Part of it may be on disk. Only what a fresh start reads back is sound; nobody is answered.
      for (Reply<void>& reply : replies) reply(absl::UnknownError("the node's disk failed"));
      exit_(committed);
      return;
    }
    for (Reply<void>& reply : replies) reply(absl::OkStatus());
    writing_ = false;
    if (!waiting_.empty()) WriteRound(context);
  });
}

}  // namespace troupe
