#include "cluster/remote_actors.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cluster/remote_cell.h"

namespace troupe {
namespace {

constexpr size_t kMaxQuestions = 65536;
constexpr size_t kMaxWatchesOfPeers = 65536;
// Above the ids of all local actors, so that one actor can watch both kinds.
constexpr uint64_t kFirstRemoteId = uint64_t{1} << 63;
// A peer may ask for no more; longer than any deadline of ours.
constexpr Duration kMaxTimeoutOfPeers = absl::Hours(1);

absl::Status ToStatus(int32_t code, const std::string& message) {
  // A code that this release does not know is not an OK.
  const bool known = code > 0 && code <= static_cast<int32_t>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown, message);
}

}  // namespace

RemoteActors::RemoteActors(ActorSystem& system, const MessageTable& messages, Transport& transport,
                           const NodeIdentity& self)
    : system_(system), messages_(messages), transport_(transport), self_(self), next_id_(kFirstRemoteId) {}

RemoteActors::~RemoteActors() = default;

internal::v1::ActorFrame RemoteActors::NewFrame() const {
  std::lock_guard lock(mutex_);
  internal::v1::ActorFrame frame;
  frame.set_cluster_id(self_.cluster_id);
  frame.set_from_id(self_.node_id);
  frame.set_from_generation(self_.generation);
  return frame;
}

void RemoteActors::SetSelf(const NodeIdentity& self) {
  std::lock_guard lock(mutex_);
  self_ = self;
}

ActorId RemoteActors::NewId() { return ActorId{next_id_++}; }

std::shared_ptr<Cell> RemoteActors::CellOf(const swim::Node& node, uint64_t actor, const std::string& name) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<RemoteCell>& known = cells_[{node.name, node.generation, actor}];
  std::shared_ptr<RemoteCell> cell = known.lock();
  // A node that moved is reached at its new address.
  if (cell == nullptr || cell->node() != node) {
    cell = std::make_shared<RemoteCell>(*this, NewId(), node, actor, name);
    known = cell;
  }
  return cell;
}

// Out.

absl::Status RemoteActors::CheckReachable(const swim::Node& node) const {
  std::lock_guard lock(mutex_);
  auto latest = latest_.find(node.name);
  if (latest != latest_.end() && latest->second > node.generation) {
    return absl::UnavailableError(absl::StrCat("node ", node.name, " has restarted since"));
  }
  if (dead_.contains(node.name)) return absl::UnavailableError(absl::StrCat("node ", node.name, " is dead"));
  return absl::OkStatus();
}

absl::Status RemoteActors::Send(const swim::Node& to, internal::v1::ActorFrame frame) {
  absl::Status reachable = CheckReachable(to);
  if (!reachable.ok()) return reachable;
  return transport_.Send(to.address, Lane::kActors, frame.SerializeAsString()).status();
}

absl::Status RemoteActors::SendQuestion(const swim::Node& to, internal::v1::ActorFrame frame, Question question) {
  absl::Status refused = CheckReachable(to);
  if (refused.ok()) {
    std::lock_guard lock(mutex_);
    const uint64_t ask = next_ask_++;
    frame.mutable_deliver()->set_ask(ask);
    if (questions_.size() >= kMaxQuestions) {
      refused = absl::ResourceExhaustedError("too many questions to other nodes are under way; try again in a moment");
    } else {
      absl::StatusOr<uint64_t> sent = transport_.Send(to.address, Lane::kActors, frame.SerializeAsString());
      refused = sent.status();
      if (sent.ok()) {
        question.frame = *sent;
        questions_.emplace(ask, std::move(question));
      }
    }
  }
  if (!refused.ok()) {
    refused = absl::Status(refused.code(), absl::StrCat(question.asked, " cannot be asked: ", refused.message()));
    question.reply(refused);
  }
  return refused;
}

void RemoteActors::SendFrame(const std::string& peer, const internal::v1::ActorFrame& frame) {
  absl::StatusOr<uint64_t> sent = transport_.Send(peer, Lane::kActors, frame.SerializeAsString());
  // Whoever waits for it gives up at the deadline.
  if (!sent.ok()) VLOG(1) << "a frame to " << peer << " was not sent: " << sent.status().message();
}

// In.

void RemoteActors::CountJunk(const std::string& peer, const std::string& what) {
  junk_.fetch_add(1, std::memory_order_relaxed);
  LOG_EVERY_N(WARNING, 1000) << "dropped from " << peer << ": " << what;
}

void RemoteActors::OnFrame(const std::string& peer, internal::v1::ActorFrame frame) {
  {
    std::lock_guard lock(mutex_);
    if (frame.cluster_id() != self_.cluster_id) frame.clear_kind();
  }
  switch (frame.kind_case()) {
    case internal::v1::ActorFrame::kDeliver:
      return OnDeliver(peer, std::move(*frame.mutable_deliver()));
    case internal::v1::ActorFrame::kAnswer:
      return OnAnswer(peer, std::move(*frame.mutable_answer()));
    case internal::v1::ActorFrame::kWatch:
      return OnWatch(peer, frame.watch());
    case internal::v1::ActorFrame::kTerminated:
      return OnTerminated(frame.terminated());
    case internal::v1::ActorFrame::kStop:
      if (IsForThisRun(frame.stop().actor())) {
        if (std::shared_ptr<Cell> cell = system_.Find(ActorId{frame.stop().actor().actor()})) cell->Stop();
      }
      return;
    default:
      return CountJunk(peer, "a frame of another cluster, or of a kind that is not known here");
  }
}

bool RemoteActors::IsForThisRun(const internal::v1::ActorRef& ref) const {
  std::lock_guard lock(mutex_);
  return ref.node_id() == self_.node_id && ref.generation() == self_.generation;
}

void RemoteActors::OnDeliver(const std::string& peer, internal::v1::Deliver deliver) {
  const uint64_t ask = deliver.ask();
  std::string here;
  {
    std::lock_guard lock(mutex_);
    here = self_.name;
  }
  auto refuse = [&](const absl::Status& status) {
    if (ask != 0) return SendAnswer(peer, ask, status);
    VLOG(1) << "a message from " << peer << " was dropped: " << status.message();
  };
  if (!IsForThisRun(deliver.to())) {
    return refuse(absl::UnavailableError(absl::StrCat("node ", here, " has restarted since; nothing was done")));
  }
  std::shared_ptr<LocalCell> cell = system_.Find(ActorId{deliver.to().actor()});
  if (cell == nullptr) return refuse(absl::UnavailableError(absl::StrCat("the actor on ", here, " has terminated")));
  MessageTable::Inbound make = messages_.FindInbound(cell->actor_type(), deliver.message());
  if (make == nullptr) {
    CountJunk(peer, absl::StrCat("a message of the unknown type ", deliver.message().substr(0, 100)));
    return refuse(absl::UnimplementedError(
        absl::StrCat(cell->label(), " on ", here, " knows no message ", deliver.message().substr(0, 100))));
  }
  Executor& executor = system_.executor();
  Instant deadline = Instant::Never();
  WireReply reply;
  if (ask != 0) {
    deadline = executor.Now() + std::min(absl::Microseconds(static_cast<int64_t>(std::min<uint64_t>(
                                             deliver.timeout_micros(), std::numeric_limits<int64_t>::max()))),
                                         kMaxTimeoutOfPeers);
    reply = [this, peer, ask](absl::StatusOr<std::string> result) { SendAnswer(peer, ask, result); };
  }
  absl::StatusOr<std::unique_ptr<Envelope>> envelope = make(deliver.payload(), executor, deadline, std::move(reply));
  if (!envelope.ok()) {
    CountJunk(peer, std::string(envelope.status().message()));
    return refuse(envelope.status());
  }
  cell->Deliver(*std::move(envelope));
}

void RemoteActors::SendAnswer(const std::string& peer, uint64_t ask, const absl::StatusOr<std::string>& result) {
  internal::v1::ActorFrame frame = NewFrame();
  internal::v1::Answer& answer = *frame.mutable_answer();
  answer.set_ask(ask);
  absl::Status status = result.status();
  // The asker's deadline is its own; what ends here by ours need not cross the network.
  if (result.ok() && result->size() + 1024 > kMaxFrameBytes) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("the answer has ", result->size(), " bytes, more than a frame between nodes may have"));
  }
  if (status.ok()) {
    answer.set_payload(*result);
  } else {
    answer.set_code(static_cast<int32_t>(status.code()));
    answer.set_message(std::string(status.message()));
    status.ForEachPayload([&answer](absl::string_view url, const absl::Cord& value) {
      internal::v1::StatusDetail& detail = *answer.add_details();
      detail.set_type_url(std::string(url));
      detail.set_value(std::string(value));
    });
  }
  SendFrame(peer, frame);
}

void RemoteActors::OnAnswer(const std::string& peer, internal::v1::Answer answer) {
  Question question;
  {
    std::lock_guard lock(mutex_);
    auto found = questions_.find(answer.ask());
    // Its asker has given up, or this is not the node that was asked.
    if (found == questions_.end() || found->second.peer != peer) return;
    question = std::move(found->second);
    questions_.erase(found);
  }
  if (answer.code() == 0) return question.reply(std::move(*answer.mutable_payload()));
  absl::Status status = ToStatus(answer.code(), answer.message());
  for (const internal::v1::StatusDetail& detail : answer.details()) {
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  question.reply(status);
}

void RemoteActors::OnLost(const std::string& peer, const FrameLoss& loss) {
  std::vector<std::pair<Question, bool>> lost;
  {
    std::lock_guard lock(mutex_);
    shaken_.insert(peer);
    for (auto it = questions_.begin(); it != questions_.end();) {
      Question& question = it->second;
      if (question.peer != peer || question.frame > loss.through) {
        ++it;
        continue;
      }
      const bool unsent = question.frame >= loss.first_unsent;
      lost.emplace_back(std::move(question), unsent);
      it = questions_.erase(it);
    }
  }
  for (auto& [question, unsent] : lost) {
    if (unsent) {
      question.reply(absl::UnavailableError(
          absl::StrCat(question.asked, " cannot be asked: ", loss.reason.message(), "; nothing was done")));
    } else {
      question.reply(absl::UnknownError(absl::StrCat("the connection to ", question.asked, " was lost (",
                                                     loss.reason.message(), "); what it did before is unknown")));
    }
  }
}

// Watching.

void RemoteActors::OnWatch(const std::string& peer, const internal::v1::Watch& watch) {
  const uint64_t actor = watch.actor().actor();
  std::shared_ptr<LocalCell> cell = IsForThisRun(watch.actor()) ? system_.Find(ActorId{actor}) : nullptr;
  if (watch.unwatch()) {
    std::shared_ptr<WatchProxy> proxy;
    {
      std::lock_guard lock(mutex_);
      auto found = watch_proxies_.find({peer, actor});
      if (found == watch_proxies_.end()) return;
      proxy = std::move(found->second);
      watch_proxies_.erase(found);
    }
    if (cell != nullptr) cell->RemoveWatcher(proxy->id());
    return;
  }
  if (cell == nullptr) {
    internal::v1::ActorFrame frame = NewFrame();
    *frame.mutable_terminated()->mutable_actor() = watch.actor();
    return SendFrame(peer, frame);
  }
  std::shared_ptr<WatchProxy> proxy;
  {
    std::lock_guard lock(mutex_);
    if (watch_proxies_.size() >= kMaxWatchesOfPeers) return;
    auto [entry, is_new] = watch_proxies_.try_emplace({peer, actor}, nullptr);
    // One that is there already will tell, or has told: then it is asked to tell again.
    if (is_new) entry->second = std::make_shared<WatchProxy>(*this, NewId(), peer, actor);
    proxy = entry->second;
  }
  cell->AddWatcher(proxy);
}

void RemoteActors::SendTerminated(const std::string& peer, uint64_t actor, const absl::Status& reason) {
  {
    std::lock_guard lock(mutex_);
    watch_proxies_.erase({peer, actor});
  }
  internal::v1::ActorFrame frame = NewFrame();
  internal::v1::WatchedTerminated& terminated = *frame.mutable_terminated();
  terminated.mutable_actor()->set_actor(actor);
  terminated.mutable_actor()->set_node_id(frame.from_id());
  terminated.mutable_actor()->set_generation(frame.from_generation());
  terminated.set_code(static_cast<int32_t>(reason.code()));
  terminated.set_message(std::string(reason.message()));
  SendFrame(peer, frame);
}

void RemoteActors::OnTerminated(const internal::v1::WatchedTerminated& terminated) {
  std::shared_ptr<RemoteCell> cell;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [key, known] : cells_) {
      const auto& [name, generation, actor] = key;
      if (generation != terminated.actor().generation() || actor != terminated.actor().actor()) continue;
      std::shared_ptr<RemoteCell> candidate = known.lock();
      if (candidate != nullptr && candidate->node().id == terminated.actor().node_id()) cell = std::move(candidate);
    }
  }
  if (cell == nullptr) return;
  cell->OnTerminated(terminated.code() == 0 ? absl::OkStatus() : ToStatus(terminated.code(), terminated.message()));
}

// Nodes that come and go.

void RemoteActors::OnDead(const swim::Node& node) {
  std::vector<std::shared_ptr<RemoteCell>> cells;
  std::vector<std::shared_ptr<WatchProxy>> proxies;
  {
    std::lock_guard lock(mutex_);
    dead_.insert(node.name);
    for (const auto& [key, known] : cells_) {
      if (std::get<0>(key) != node.name) continue;
      if (std::shared_ptr<RemoteCell> cell = known.lock()) cells.push_back(std::move(cell));
    }
    for (auto it = watch_proxies_.begin(); it != watch_proxies_.end();) {
      if (it->first.first != node.address) {
        ++it;
        continue;
      }
      proxies.push_back(std::move(it->second));
      it = watch_proxies_.erase(it);
    }
  }
  for (const auto& cell : cells) cell->EndWatches(absl::UnavailableError(absl::StrCat("node ", node.name, " is dead")));
  for (const auto& proxy : proxies) {
    if (auto cell = system_.Find(ActorId{proxy->actor()})) cell->RemoveWatcher(proxy->id());
  }
}

void RemoteActors::OnAlive(const swim::Node& node) {
  std::vector<std::shared_ptr<RemoteCell>> ended;
  {
    std::lock_guard lock(mutex_);
    dead_.erase(node.name);
    latest_[node.name] = node.generation;
    for (const auto& [key, known] : cells_) {
      if (std::get<0>(key) != node.name || std::get<1>(key) >= node.generation) continue;
      if (std::shared_ptr<RemoteCell> cell = known.lock()) ended.push_back(std::move(cell));
    }
  }
  for (const auto& cell : ended) {
    cell->OnTerminated(absl::UnavailableError(absl::StrCat("node ", node.name, " has restarted since")));
  }
}

void RemoteActors::Tick() {
  const Instant now = system_.executor().Now();
  std::vector<std::shared_ptr<RemoteCell>> to_renew;
  std::vector<Question> expired;  // their askers have had their answer
  {
    std::lock_guard lock(mutex_);
    for (auto it = questions_.begin(); it != questions_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second));
      it = questions_.erase(it);
    }
    for (auto it = cells_.begin(); it != cells_.end();) {
      std::shared_ptr<RemoteCell> cell = it->second.lock();
      if (cell == nullptr) {
        it = cells_.erase(it);
        continue;
      }
      if (shaken_.contains(cell->node().address)) to_renew.push_back(std::move(cell));
      ++it;
    }
    shaken_.clear();
  }
  for (const auto& cell : to_renew) cell->RenewWatch();
}

}  // namespace troupe
