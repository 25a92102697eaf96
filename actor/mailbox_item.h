// What waits in mailboxes, and chains of it.
#ifndef TROUPE_ACTOR_MAILBOX_ITEM_H_
#define TROUPE_ACTOR_MAILBOX_ITEM_H_

#include <cstdint>
#include <memory>

#include "actor/block_pool.h"

namespace troupe {

enum class MailboxLane : uint8_t { kUser, kSystem };

// Something that can wait in a mailbox. Must be the first base of what is allocated, since its address goes into the
// mailbox's word and must be aligned as the pool aligns.
class MailboxItem : public internal::Pooled {
 public:
  virtual ~MailboxItem() = default;

  // Of the two kinds of items that an actor knows.
  bool is_signal() const { return is_signal_; }

 protected:
  explicit MailboxItem(bool is_signal = false) : is_signal_(is_signal) {}

 private:
  template <template <typename> class, typename>
  friend class BasicMailbox;
  friend class ItemQueue;

  MailboxItem* next_ = nullptr;
  MailboxLane lane_ = MailboxLane::kUser;
  const bool is_signal_;
};

// Items in order; owns them.
class ItemQueue {
 public:
  ItemQueue() = default;
  ItemQueue(const ItemQueue&) = delete;
  ~ItemQueue() {
    while (!empty()) Pop();
  }

  bool empty() const { return first_ == nullptr; }
  MailboxItem& front() const { return *first_; }
  std::unique_ptr<MailboxItem> Pop() {
    MailboxItem* item = first_;
    first_ = item->next_;
    return std::unique_ptr<MailboxItem>(item);
  }
  void Append(std::unique_ptr<MailboxItem> item) {
    item->next_ = nullptr;
    AppendChain(item.get(), item.get());
    item.release();
  }
  // Takes all of the other's.
  void AppendAll(ItemQueue& other) {
    if (other.empty()) return;
    AppendChain(other.first_, other.last_);
    other.first_ = nullptr;
  }
  // Of a chain that ends in null.
  void AppendChain(MailboxItem* first, MailboxItem* last) {
    (first_ == nullptr ? first_ : last_->next_) = first;
    last_ = last;
  }

 private:
  MailboxItem* first_ = nullptr;
  MailboxItem* last_ = nullptr;  // when not empty
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_MAILBOX_ITEM_H_
