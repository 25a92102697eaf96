#include "kvstore/commit_writer.h"

#include <utility>

namespace troupe {

void CommitWriter::Handle(CommitBatch commit, Reply<void> reply, Context& context) {
  waiting_.push_back(Waiting{std::move(commit.batch), std::move(reply)});
  if (round_ == nullptr) BeginRound(context);
}

void CommitWriter::BeginRound(Context context) {
  round_ = std::make_shared<Round>();
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    if (!waiting.batch.writes.empty()) round_->batches.push_back(std::move(waiting.batch));
    round_->replies.push_back(std::move(waiting.reply));
  }
  Write(context);
}

void CommitWriter::Write(Context context) {
  auto commit = [storage = storage_, round = round_] {
    round->begun = true;
    return round->batches.empty() ? absl::OkStatus() : storage->Commit(round->batches);
  };
  context.RunBlocking(std::move(commit), [this, context](absl::Status committed) mutable {
    // Refused by the pool is not failed: nothing has been touched yet.
    if (!committed.ok() && !round_->begun) {
      context.After(absl::Milliseconds(1), TryAgain{});
      return;
    }
    if (!committed.ok()) {
      // Part of it may be on disk. Only what a fresh start reads back is sound; nobody is answered.
      for (Reply<void>& reply : round_->replies) reply(absl::UnknownError("the node's disk failed"));
      exit_(committed);
      return;
    }
    const std::shared_ptr<Round> done = std::exchange(round_, nullptr);
    for (Reply<void>& reply : done->replies) reply(absl::OkStatus());
    if (!waiting_.empty()) BeginRound(context);
  });
}

}  // namespace troupe
