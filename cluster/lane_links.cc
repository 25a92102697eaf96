#include "cluster/lane_links.h"

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace troupe {

using internal::v1::FrameBatch;

namespace {

constexpr int kMaxGreeting = 256;
constexpr Duration kHelloTimeout = absl::Seconds(2);
constexpr Duration kDialTimeout = absl::Seconds(1);

// gRPC tells the whole way of a failure; its cause is the last part.
std::string CauseOf(const absl::Status& status) {
  const std::string message(status.message());
  const size_t colon = message.rfind(": ");
  std::string cause = colon == std::string::npos ? message : message.substr(colon + 2);
  if (cause.empty()) return "no cause given";
  // "Connection refused" stands in the middle of a sentence here.
  if (cause.size() > 1 && absl::ascii_islower(cause[1])) cause[0] = absl::ascii_tolower(cause[0]);
  return cause;
}

}  // namespace

class LaneLinks::Operation final : public LaneTag {
 public:
  Operation(LaneLinks& links, StreamPtr stream, Event event)
      : links_(links), stream_(std::move(stream)), event_(event) {}

  void Proceed(bool ok) override {
    const std::unique_ptr<Operation> end(this);
    switch (event_) {
      case Event::kAccepted:
        links_.OnAccepted(stream_, ok);
        break;
      case Event::kRead:
        links_.OnRead(stream_, ok);
        break;
      case Event::kWritten:
        links_.OnWritten(stream_, ok);
        break;
      case Event::kFinished:
        return links_.OnFinished(stream_);
      case Event::kConnected:
        return;
    }
    links_.OperationEnded(stream_);
  }

 private:
  LaneLinks& links_;
  const StreamPtr stream_;
  const Event event_;
};

class LaneLinks::Timer final : public LaneTag {
 public:
  Timer(LaneLinks& links, StreamPtr stream) : links_(links), stream_(std::move(stream)), phase_(stream_->phase) {}

  void Proceed(bool ok) override {
    const std::unique_ptr<Timer> end(this);
    if (ok) links_.OnTimer(stream_, phase_);
    links_.OperationEnded(stream_);
  }

 private:
  LaneLinks& links_;
  const StreamPtr stream_;
  const Phase phase_;  // that it limits
};

LaneLinks::LaneLinks(Lane lane, LaneServer& server, grpc::ServerCompletionQueue& queue)
    : lane_(lane), server_(server), queue_(queue) {}

LaneLinks::~LaneLinks() = default;

Instant LaneLinks::Now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return Instant::FromNanos(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void LaneLinks::Start(std::string address, FrameReceiver& receiver) {
  std::lock_guard lock(mutex_);
  address_ = std::move(address);
  receiver_ = &receiver;
  running_ = true;
  AcceptNext();
}

void LaneLinks::Stop() {
  std::unique_lock lock(mutex_);
  running_ = false;
  // None of them is in use from here on, so nothing is sent or dialled for what waits.
  for (const StreamPtr& stream : std::vector<StreamPtr>(streams_.begin(), streams_.end())) {
    Break(stream, "this node is stopping");
  }
  gone_.wait(lock, [this] { return streams_.empty(); });
}

absl::StatusOr<uint64_t> LaneLinks::Send(const std::string& peer, std::string frame) {
  if (frame.size() > kMaxFrameBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a frame of ", frame.size(), " bytes is above the limit of ", kMaxFrameBytes));
  }
  uint64_t number = 0;
  StreamPtr stream;
  void* write = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!running_) return absl::UnavailableError(absl::StrCat("no way to ", peer, ": this node has no network now"));
    if (peer == address_) return absl::InvalidArgumentError("a node does not send to itself");
    Link* link = FindOrAdd(peer);
    if (link == nullptr) return absl::ResourceExhaustedError("too many peers");
    if (link->stream == nullptr && Now() < link->redial_at) return absl::UnavailableError(link->failure);
    number = ++last_number_;
    const absl::Status taken = link->waiting.Push(number, std::move(frame), Now());
    if (!taken.ok()) return taken;
    if (link->stream == nullptr) Dial(peer, *link);
    stream = link->stream;
    write = BeginWrite(stream);
  }
  // Outside of the lock, since it turns the batch into bytes and may hand them to the kernel.
  if (write != nullptr) stream->call->Write(stream->out, write);
  return number;
}

void LaneLinks::Disconnect(const std::string& peer) {
  std::lock_guard lock(mutex_);
  const auto link = links_.find(peer);
  if (link == links_.end()) return;
  if (const StreamPtr held = link->second.held) Break(held, "disconnected");
  if (const StreamPtr stream = link->second.stream) Break(stream, absl::StrCat("disconnected from ", peer));
}

LaneStats LaneLinks::Stats() const {
  std::lock_guard lock(mutex_);
  LaneStats stats = stats_;
  for (const auto& [peer, link] : links_) {
    stats.dropped_full += link.waiting.dropped_full();
    stats.dropped_late += link.waiting.dropped_late();
  }
  return stats;
}

void LaneLinks::OnAccepted(const StreamPtr& stream, bool ok) {
  std::lock_guard lock(mutex_);
  if (!ok) return;  // the server shuts down
  if (running_) AcceptNext();
  streams_.insert(stream);
  ++greeting_;
  if (!running_ || greeting_ > kMaxGreeting) {
    stream->farewell = running_ ? absl::ResourceExhaustedError("too many streams have not said hello")
                                : absl::UnavailableError("this node is stopping");
    return Close(stream);
  }
  SetTimer(stream, kHelloTimeout);
  stream->reading = true;
  stream->call->Read(stream->in, Begin(stream, Event::kRead));
}

void LaneLinks::OnRead(const StreamPtr& stream, bool ok) {
  {
    std::lock_guard lock(mutex_);
    stream->reading = false;
    if (stream->phase == Phase::kClosing) return;
    if (!ok) {
      // Not worth a line in the log: a dial that gives way may look like this.
      if (stream->phase == Phase::kGreeting) ++stats_.junk;
      return Fail(stream, stream->dialled ? "" : absl::StrCat(stream->link, " ended the connection"));
    }
    if (!TakeBatch(stream)) return;
    stats_.frames_in += static_cast<uint64_t>(stream->in.frames_size());
    for (const std::string& frame : stream->in.frames()) stats_.bytes_in += frame.size();
  }
  for (std::string& frame : *stream->in.mutable_frames()) receiver_->OnFrame(stream->peer, lane_, std::move(frame));
  stream->in = FrameBatch();
  void* read = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (stream->phase == Phase::kClosing) return;
    stream->reading = true;
    read = Begin(stream, Event::kRead);
  }
  stream->call->Read(stream->in, read);
}

void LaneLinks::OnWritten(const StreamPtr& stream, bool ok) {
  void* write = nullptr;
  {
    std::lock_guard lock(mutex_);
    stream->writing = false;
    stream->out = FrameBatch();
    if (stream->phase == Phase::kClosing) return;
    // The read fails too, and the call's outcome says why.
    if (!ok) return Fail(stream, stream->dialled ? "" : absl::StrCat(stream->link, " ended the connection"));
    write = BeginWrite(stream);
  }
  if (write != nullptr) stream->call->Write(stream->out, write);
}

void LaneLinks::OnTimer(const StreamPtr& stream, Phase phase) {
  std::lock_guard lock(mutex_);
  if (stream->phase != phase) return;
  switch (phase) {
    case Phase::kDialling:
      return Fail(stream, absl::StrCat(stream->link, " cannot be reached: no answer within ",
                                       absl::FormatDuration(kDialTimeout)));
    case Phase::kGreeting:
      return Junk(stream, "no hello in time");
    case Phase::kHeld:
      return Adopt(links_.at(stream->link), stream);
    case Phase::kOpen:
    case Phase::kClosing:
      break;
  }
}

void LaneLinks::OperationEnded(const StreamPtr& stream) {
  std::lock_guard lock(mutex_);
  --stream->operations;
  if (stream->phase != Phase::kClosing || stream->operations > 0 || stream->finishing) return;
  stream->finishing = true;
  stream->call->Finish(stream->farewell, static_cast<LaneTag*>(new Operation(*this, stream, Event::kFinished)));
}

void LaneLinks::OnFinished(const StreamPtr& stream) {
  std::optional<FrameLoss> loss;
  {
    std::lock_guard lock(mutex_);
    const absl::Status outcome = stream->call->outcome();
    // gRPC has refused a message of the peer's that is above our limit.
    if (stream->was_open && stream->reason.empty() && absl::IsResourceExhausted(outcome)) ++stats_.junk;
    if (stream->reason.empty()) {
      stream->reason = stream->was_open ? absl::StrCat("the connection to ", stream->link, " broke: ", CauseOf(outcome))
                                        : absl::StrCat(stream->link, " cannot be reached: ", CauseOf(outcome));
    }
    const auto link = links_.find(stream->link);
    if (link != links_.end() && stream->dialled && !stream->was_open) link->second.failure = stream->reason;
    if (running_ && lane_ != Lane::kControl) loss = std::move(stream->loss);
  }
  if (loss) {
    loss->reason = absl::UnavailableError(stream->reason);
    receiver_->OnLost(stream->link, lane_, *loss);
  }
  auto connected = std::make_unique<Operation>(*this, stream, Event::kConnected);
  if (!stream->call->MayGo(static_cast<LaneTag*>(connected.get()))) connected.release();
  std::lock_guard lock(mutex_);
  streams_.erase(stream);
  gone_.notify_all();
}

void LaneLinks::AcceptNext() {
  auto stream = std::make_shared<Stream>(Stream{.dialled = false});
  void* tag = Begin(stream, Event::kAccepted);
  stream->call = AcceptLane(server_, lane_, queue_, tag);
}

void LaneLinks::Dial(const std::string& peer, Link& link) {
  auto stream = std::make_shared<Stream>(Stream{.dialled = true, .link = peer, .phase = Phase::kDialling});
  streams_.insert(stream);
  link.stream = stream;
  stream->call = DialLane(peer, lane_, queue_);
  SetTimer(stream, kDialTimeout);
  stream->out.mutable_hello()->set_address(address_);
  stream->writing = true;
  stream->call->Write(stream->out, Begin(stream, Event::kWritten));
  stream->reading = true;
  stream->call->Read(stream->in, Begin(stream, Event::kRead));
}

void LaneLinks::SetPhase(Stream& stream, Phase phase) {
  if (stream.phase == Phase::kGreeting) --greeting_;
  if (stream.phase == Phase::kOpen) --stats_.connections;
  stream.phase = phase;
  stream.timer = nullptr;
  if (phase != Phase::kOpen) return;
  stream.was_open = true;
  ++stats_.connections;
}

void LaneLinks::SetTimer(const StreamPtr& stream, Duration after) {
  ++stream->operations;
  stream->timer = StartLaneTimer(after, queue_, static_cast<LaneTag*>(new Timer(*this, stream)));
}

void* LaneLinks::Begin(const StreamPtr& stream, Event event) {
  ++stream->operations;
  return static_cast<LaneTag*>(new Operation(*this, stream, event));
}

void* LaneLinks::BeginWrite(const StreamPtr& stream) {
  if (stream->phase != Phase::kOpen || stream->writing) return nullptr;
  Fill(*stream, links_.at(stream->link));
  if (stream->out.frames_size() == 0) return nullptr;
  stream->writing = true;
  return Begin(stream, Event::kWritten);
}

void LaneLinks::Fill(Stream& stream, Link& link) {
  for (LaneQueue::Frame& frame : link.waiting.TakeBatch(Now())) {
    ++stats_.frames_out;
    stats_.bytes_out += frame.bytes.size();
    stream.last_written = frame.number;
    stream.out.add_frames(std::move(frame.bytes));
  }
}

}  // namespace troupe
