#include "actor/mailbox.h"

#include <glog/logging.h>

#include <utility>

namespace troupe {

Mailbox::Mailbox(size_t capacity, Overflow overflow) : capacity_(capacity), overflow_(overflow) {
  CHECK_GT(capacity_, 0u) << "a mailbox needs room for a message";
}

Mailbox::PushResult Mailbox::Push(std::unique_ptr<Envelope> envelope) {
  PushResult result;
  std::lock_guard lock(mutex_);
  if (closed_) {
    result.outcome = PushResult::kClosed;
    result.dropped = std::move(envelope);
    return result;
  }
  if (envelope->control) {
    system_.push_back(std::move(envelope));
    result.wake = Wake();
    return result;
  }
  if (user_.size() >= capacity_) {
    result.outcome = PushResult::kFull;
    if (overflow_ == Overflow::kReject) {
      result.dropped = std::move(envelope);
      return result;
    }
    result.dropped = std::move(user_.front());
    user_.pop_front();
  }
  user_.push_back(std::move(envelope));
  result.wake = user_lane_open_ && Wake();
  return result;
}

Mailbox::PushResult Mailbox::PushSignal(Signal signal) {
  PushResult result;
  std::lock_guard lock(mutex_);
  if (closed_) {
    result.outcome = PushResult::kClosed;
    return result;
  }
  system_.push_back(std::move(signal));
  result.wake = Wake();
  return result;
}

std::optional<Mailbox::Item> Mailbox::Pop(bool user_lane) {
  std::lock_guard lock(mutex_);
  if (!system_.empty()) {
    Item item = std::move(system_.front());
    system_.pop_front();
    return item;
  }
  if (user_lane && !user_.empty()) {
    Item item = std::move(user_.front());
    user_.pop_front();
    return item;
  }
  return std::nullopt;
}

bool Mailbox::EndTurn(bool user_lane) {
  std::lock_guard lock(mutex_);
  user_lane_open_ = user_lane;
  scheduled_ = !system_.empty() || (user_lane && !user_.empty());
  return scheduled_;
}

std::vector<Mailbox::Item> Mailbox::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<Item> unread;
  for (Item& item : system_) unread.push_back(std::move(item));
  for (std::unique_ptr<Envelope>& envelope : user_) unread.emplace_back(std::move(envelope));
  system_.clear();
  user_.clear();
  return unread;
}

size_t Mailbox::depth() const {
  std::lock_guard lock(mutex_);
  return user_.size();
}

}  // namespace troupe
