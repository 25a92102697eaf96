// Several messages handled in one call.
//
//   struct Append { std::string line; };
//
//   class Journal : public troupe::Actor<Journal> {
//    public:
//     static constexpr size_t kMaxBatch = 256;
//     void Handle(Batch<Append>& batch, Context& context) {
//       std::string lines;
//       for (auto& [append, reply] : batch) lines += append.line;
//       context.RunBlocking([this, lines = std::move(lines)] { return Write(lines); },
//                           [batch = std::move(batch)](absl::Status written) mutable { batch.Answer(written); });
//     }
//   };
//
// A batch is what waits now: the message whose turn it is and those of its type right behind it, up to the actor's
// kMaxBatch, 64 unless it says otherwise. Nothing waits for a batch to fill, and no order changes. A message that the
// actor can also handle alone is never batched. None of a batch is in hand alone, so that Context::Stash refuses it
// with kFailedPrecondition.
#ifndef TROUPE_ACTOR_BATCH_H_
#define TROUPE_ACTOR_BATCH_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "actor/block_pool.h"
#include "actor/future.h"

namespace troupe {

namespace internal {
// In envelope.h, which includes this.
template <typename M>
struct ResultOf;
}  // namespace internal

// The messages with their askers. A handler that does not move it away leaves it to be answered: with OK where the
// message has no Result, else with kUnknown, as of a Reply that is let go. The failure of the handler is the answer to
// all that are in it.
//   Threads:  belongs to one at a time; may go to another, as a Reply may.
template <typename M>
class Batch {
 public:
  using R = typename internal::ResultOf<M>::Type;
  struct Item {
    M message;
    Reply<R> reply;
  };

  Batch() = default;
  Batch(Batch&& other) noexcept = default;
  Batch& operator=(Batch&& other) noexcept = default;

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  Item& operator[](size_t index) { return items_[index]; }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }

  // Answers all that have no answer yet.
  void Answer(const Outcome<R>& outcome) {
    for (Item& item : items_) {
      if (item.reply.asked()) item.reply(outcome);
    }
  }

  // For the envelope.
  void Add(M message, Reply<R> reply) { items_.push_back(Item{std::move(message), std::move(reply)}); }

 private:
  std::vector<Item, internal::PoolAllocator<Item>> items_;
};

namespace internal {

inline constexpr size_t kDefaultMaxBatch = 64;

template <typename A>
consteval size_t MaxBatch() {
  if constexpr (requires { A::kMaxBatch; }) {
    static_assert(A::kMaxBatch >= 1, "a batch has at least one message");
    return A::kMaxBatch;
  } else {
    return kDefaultMaxBatch;
  }
}

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_BATCH_H_
