#include "cluster/remote_actors.h"

#include <glog/logging.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cluster/remote_cell.h"
#include "cluster/wire_status.h"

namespace troupe {
namespace {

constexpr size_t kMaxQuestions = 65536;
// Above the ids of all local actors, so that one actor can watch both kinds.
constexpr uint64_t kFirstRemoteId = uint64_t{1} << 63;
// A peer may ask for no more; longer than any deadline of ours.
constexpr Duration kMaxTimeoutOfPeers = absl::Hours(1);
// Of one error's details together. So much always fits a frame.
constexpr size_t kMaxErrorDetails = 1 << 20;

// Numbers of one run's questions are no other run's, so that the answer to a question of the run before, at the same
// address, fits none of this one's. A run has 2^44 of them, and 2^20 runs pass before they come again.
uint64_t FirstAsk(uint64_t generation) { return (generation << 44) | 1; }

}  // namespace

RemoteActors::RemoteActors(ActorSystem& system, const MessageTable& messages, Transport& transport,
                           const NodeIdentity& self)
    : system_(system),
      messages_(messages),
      transport_(transport),
      self_(self),
      next_ask_(FirstAsk(self.generation)),
      next_id_(kFirstRemoteId) {}

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
  if (self.generation != self_.generation) next_ask_ = FirstAsk(self.generation);
  self_ = self;
}

ActorId RemoteActors::NewId() { return ActorId{next_id_++}; }

std::shared_ptr<Cell> RemoteActors::CellOf(const swim::Node& node, uint64_t actor, const std::string& name) {
  std::shared_ptr<RemoteCell> moved;
  std::shared_ptr<RemoteCell> cell;
  {
    std::lock_guard lock(mutex_);
    std::weak_ptr<RemoteCell>& known = cells_[{node.id, node.generation, actor}];
    cell = known.lock();
    if (cell == nullptr || cell->node() != node) {
      moved = std::move(cell);
      cell = std::make_shared<RemoteCell>(*this, NewId(), node, actor, name);
      known = cell;
    }
  }
  // Nothing would find it here any more to end its watches.
  if (moved != nullptr) moved->OnTerminated(absl::UnavailableError(absl::StrCat("node ", node.name, " has moved")));
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

void RemoteActors::SendWatch(const swim::Node& to, internal::v1::ActorFrame frame) {
  if (Send(to, std::move(frame)).ok()) return;
  std::lock_guard lock(mutex_);
  shaken_.insert(to.address);
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
    // A node in no cluster yet has no peers.
    if (self_.cluster_id.empty() || frame.cluster_id() != self_.cluster_id) frame.clear_kind();
  }
  switch (frame.kind_case()) {
    case internal::v1::ActorFrame::kDeliver:
      return OnDeliver(peer, std::move(*frame.mutable_deliver()));
    case internal::v1::ActorFrame::kAnswer:
      return OnAnswer(peer, std::move(*frame.mutable_answer()));
    case internal::v1::ActorFrame::kWatch:
      return OnWatch(peer, frame.watch());
    case internal::v1::ActorFrame::kTerminated:
      return OnTerminated(peer, frame.terminated());
    case internal::v1::ActorFrame::kStop:
      return OnStop(peer, frame.stop());
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

void RemoteActors::OnStop(const std::string& peer, const internal::v1::StopActor& stop) {
  if (!IsForThisRun(stop.actor())) return;
  std::shared_ptr<LocalCell> cell = system_.Find(ActorId{stop.actor().actor()});
  if (cell == nullptr) return;
  // Nobody there can hold an address of any other.
  if (!messages_.Exposes(cell->actor_type())) return CountJunk(peer, "a stop of an actor that takes no messages");
  cell->Stop();
}

void RemoteActors::SendAnswer(const std::string& peer, uint64_t ask, const absl::StatusOr<std::string>& result) {
  internal::v1::ActorFrame frame = NewFrame();
  internal::v1::Answer& answer = *frame.mutable_answer();
  answer.set_ask(ask);
  absl::Status status = result.status();
  if (result.ok() && result->size() + 1024 > kMaxFrameBytes) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("the answer has ", result->size(), " bytes, more than a frame between nodes may have"));
  }
  if (status.ok()) {
    answer.set_payload(*result);
  } else {
    answer.set_code(static_cast<int32_t>(status.code()));
    answer.set_message(ToWireText(status.message()));
    size_t room = kMaxErrorDetails;
    status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
      if (url.size() + value.size() > room || !IsUtf8(std::string(url))) return;
      room -= url.size() + value.size();
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
  absl::Status status = FromWireStatus(answer.code(), answer.message());
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

}  // namespace troupe
