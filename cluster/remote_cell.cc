#include "cluster/remote_cell.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace troupe {

RemoteCell::RemoteCell(RemoteActors& actors, ActorId id, swim::Node node, uint64_t actor, std::string name)
    : actors_(actors), id_(id), node_(std::move(node)), actor_(actor), name_(std::move(name)) {}

std::string RemoteCell::label() const { return absl::StrCat(name_, " on ", node_.name); }

Executor& RemoteCell::executor() { return actors_.system_.executor(); }

internal::v1::ActorRef RemoteCell::Ref() const {
  internal::v1::ActorRef ref;
  ref.set_actor(actor_);
  ref.set_node_id(node_.id);
  ref.set_generation(node_.generation);
  return ref;
}

bool RemoteCell::alive() const {
  std::lock_guard lock(mutex_);
  return !terminated_;
}

bool RemoteCell::Deliver(std::unique_ptr<Envelope> envelope) {
  auto refuse = [this, &envelope](DeadLetterReason reason, const absl::Status& status) {
    envelope->Fail(status);
    actors_.system_.CountFarDeadLetter(reason, *this, *envelope);
    return false;
  };
  if (!alive()) {
    return refuse(DeadLetterReason::kTerminated, DeadLetterStatus(DeadLetterReason::kTerminated, label()));
  }
  const MessageTable::Outbound* outbound = actors_.messages_.FindOutbound(envelope->type());
  if (outbound == nullptr) {
    return refuse(DeadLetterReason::kUnreachable,
                  absl::UnimplementedError(absl::StrCat(TypeName(envelope->type()),
                                                        " has no wire format, so it cannot be sent to ", label())));
  }
  const Instant now = executor().Now();
  if (envelope->deadline <= now) {
    return refuse(DeadLetterReason::kExpired,
                  absl::DeadlineExceededError(absl::StrCat("the deadline was over before ", label(), " was asked")));
  }
  internal::v1::ActorFrame frame = actors_.NewFrame();
  internal::v1::Deliver& deliver = *frame.mutable_deliver();
  *deliver.mutable_to() = Ref();
  deliver.set_message(outbound->name);
  deliver.set_payload(outbound->encode(*envelope));
  WireReply reply = outbound->take_reply(*envelope);
  absl::Status sent;
  if (!reply) {
    sent = actors_.Send(node_, std::move(frame));
  } else {
    deliver.set_timeout_micros(static_cast<uint64_t>(absl::ToInt64Microseconds(envelope->deadline - now)));
    sent = actors_.SendQuestion(node_, std::move(frame),
                                {node_.address, 0, envelope->deadline, label(), std::move(reply)});
  }
  // The asker, if there is one, has its error.
  if (!sent.ok()) actors_.system_.CountFarDeadLetter(DeadLetterReason::kUnreachable, *this, *envelope);
  return sent.ok();
}

void RemoteCell::Stop() {
  internal::v1::ActorFrame frame = actors_.NewFrame();
  *frame.mutable_stop()->mutable_actor() = Ref();
  (void)actors_.Send(node_, std::move(frame));
}

void RemoteCell::SendWatch(bool unwatch) {
  internal::v1::ActorFrame frame = actors_.NewFrame();
  *frame.mutable_watch()->mutable_actor() = Ref();
  frame.mutable_watch()->set_unwatch(unwatch);
  // What is lost on the way is renewed, and a node that cannot be reached is dead soon: both end in a notice.
  actors_.SendWatch(node_, std::move(frame));
}

void RemoteCell::AddWatcher(std::shared_ptr<Cell> watcher) {
  std::unique_lock lock(mutex_);
  if (terminated_) {
    const absl::Status reason = reason_;
    lock.unlock();
    return watcher->NotifyTerminated(id_, reason);
  }
  const bool first = watchers_.empty();
  watchers_.emplace(watcher->id(), std::move(watcher));
  lock.unlock();
  // After it is among the watchers, so that a death that is noticed now either finds it there or is seen here.
  absl::Status reachable = actors_.CheckReachable(node_);
  if (!reachable.ok()) return EndWatches(reachable);
  if (first) SendWatch(/*unwatch=*/false);
}

void RemoteCell::RemoveWatcher(ActorId watcher) {
  {
    std::lock_guard lock(mutex_);
    if (watchers_.erase(watcher) == 0 || !watchers_.empty()) return;
  }
  SendWatch(/*unwatch=*/true);
  // One that came meanwhile may have asked before this took it back.
  RenewWatch();
}

void RemoteCell::RenewWatch() {
  {
    std::lock_guard lock(mutex_);
    if (watchers_.empty()) return;
  }
  SendWatch(/*unwatch=*/false);
}

void RemoteCell::OnTerminated(const absl::Status& reason) {
  {
    std::lock_guard lock(mutex_);
    if (terminated_) return;
    terminated_ = true;
    reason_ = reason;
  }
  EndWatches(reason);
}

void RemoteCell::EndWatches(const absl::Status& reason) {
  std::map<ActorId, std::shared_ptr<Cell>> watchers;
  {
    std::lock_guard lock(mutex_);
    watchers.swap(watchers_);
  }
  for (const auto& [id, watcher] : watchers) watcher->NotifyTerminated(id_, reason);
}

void WatchProxy::NotifyTerminated(ActorId, absl::Status reason) { actors_.SendTerminated(peer_, actor_, reason); }

Executor& WatchProxy::executor() { return actors_.system_.executor(); }

}  // namespace troupe
