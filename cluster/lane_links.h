// One lane of this node: its links to peers, each with at most one stream in use, and the rules by which streams come
// and go.
//
// A stream begins with a hello of the end that dialled. The other end's hello, with which its own frames may come, is
// the acceptance; before it nothing but the hello is sent, so a stream that is not accepted costs no frame.
//
// Who gives way when a peer's stream comes in while a stream of our own dialling to it exists: if our address is the
// larger, our stream, at once. Else the peer's is held for kCrossing: if the dials have crossed, the peer closes it as
// soon as ours arrives. If it does not, the peer knows nothing of ours (it restarted, or it cannot be reached from
// here), and then its stream replaces ours. A peer's stream replaces one that the same peer dialled before, always.
// Frames that wait go over to the stream that replaces; frames that were written may be lost, and OnLost says so.
#ifndef TROUPE_CLUSTER_LANE_LINKS_H_
#define TROUPE_CLUSTER_LANE_LINKS_H_

#include <condition_variable>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "actor/time.h"
#include "cluster/grpc_transport.h"
#include "cluster/grpc_transport_call.h"
#include "cluster/lane_queue.h"
#include "cluster/transport.h"

namespace troupe {

// What comes out of a completion queue. Proceed ends its life.
class LaneTag {
 public:
  virtual ~LaneTag() = default;
  virtual void Proceed(bool ok) = 0;
};

//   Threads: any may Send, Disconnect, Stop. All tags of one lane proceed on one thread. Callbacks come from there,
//   with
//            no lock held.
class LaneLinks {
 public:
  LaneLinks(Lane lane, LaneServer& server, grpc::ServerCompletionQueue& queue);
  ~LaneLinks();

  // `address`: this node's own.
  void Start(std::string address, FrameReceiver& receiver);
  // Closes all streams and waits until they are gone; no callback comes afterwards. Not from the lane's own thread.
  void Stop();

  absl::StatusOr<uint64_t> Send(const std::string& peer, std::string frame);
  void Disconnect(const std::string& peer);
  LaneStats Stats() const;

 private:
  class Operation;
  class Timer;

  static constexpr Duration kMinRedial = absl::Milliseconds(100);
  static Instant Now();

  enum class Phase {
    kDialling,  // ours, until the peer's hello
    kGreeting,  // a peer's, until its hello
    kHeld,      // a peer's, while it is not known whether it has crossed ours
    kOpen,      // the link's stream, in use
    kClosing,   // not in use; what is under way on it ends
  };

  enum class Event { kAccepted, kRead, kWritten, kFinished, kConnected };

  struct Stream {
    const bool dialled;
    std::unique_ptr<LaneCall> call;
    // In links_: for ours the address that was dialled. Of a peer's empty until its hello.
    std::string link;
    // As the peer calls itself, which may differ from what was dialled (localhost).
    std::string peer;
    Phase phase = Phase::kGreeting;
    // Operations under way, and what is being done about their ends; when none is left a closing stream finishes.
    int operations = 0;
    bool reading = false;
    bool writing = false;
    bool finishing = false;
    bool was_open = false;
    uint64_t last_written = 0;
    std::optional<FrameLoss> loss;
    // Why it ends, if that is not for the call's outcome to say.
    std::string reason;
    absl::Status farewell;
    // Cancelled when it goes.
    std::unique_ptr<LaneTimer> timer;
    // Touched without mutex_, by whoever reads or writes.
    internal::v1::FrameBatch in;
    internal::v1::FrameBatch out;
  };

  using StreamPtr = std::shared_ptr<Stream>;

  struct Link {
    explicit Link(Lane lane) : waiting(LaneQueue::LimitsOf(lane)) {}

    // Dialling or open. When there is none, nothing waits.
    StreamPtr stream;
    StreamPtr held;
    LaneQueue waiting;
    // After failed dials: no other before that time, and the reason.
    Instant redial_at = Instant::FromNanos(std::numeric_limits<int64_t>::min());
    Duration redial_after = kMinRedial;
    std::string failure;
  };

  // Tags that came back, on the lane's thread.
  void OnAccepted(const StreamPtr& stream, bool ok);
  void OnRead(const StreamPtr& stream, bool ok);
  void OnWritten(const StreamPtr& stream, bool ok);
  void OnFinished(const StreamPtr& stream);
  void OnTimer(const StreamPtr& stream, Phase phase);
  void OperationEnded(const StreamPtr& stream);

  // The rest of this block is called with mutex_ held.
  void AcceptNext();
  void Dial(const std::string& peer, Link& link);
  // Checks what has been read, and handles a hello. False: the stream was closed for it.
  bool TakeBatch(const StreamPtr& stream);
  // The peer has accepted our stream.
  void Opened(const StreamPtr& stream);
  // A peer has said hello on its own.
  void Greet(const StreamPtr& stream);
  // Makes a peer's stream the link's.
  void Adopt(Link& link, const StreamPtr& stream);
  // Break, and no dialling for a while if that is what failed.
  void Fail(const StreamPtr& stream, const std::string& reason);
  // Takes a stream out of use, and drops what waits for it unless another is at hand. `reason` is empty when the call's
  // own outcome will say it.
  void Break(const StreamPtr& stream, const std::string& reason);
  // What OnLost will say when the stream has finished. `dropped` goes with it, or is null.
  void NoteLoss(Stream& stream, const LaneQueue* dropped);
  void Junk(const StreamPtr& stream, const char* what);
  void Close(const StreamPtr& stream);
  // Also cancels the phase's timer.
  void SetPhase(Stream& stream, Phase phase);
  void SetTimer(const StreamPtr& stream, Duration after);
  // Counts an operation that is about to start on the stream.
  void* Begin(const StreamPtr& stream, Event event);
  // The tag of a write of what waits, or null if nothing does or the stream cannot be written to now.
  void* BeginWrite(const StreamPtr& stream);
  void Fill(Stream& stream, Link& link);
  // Null: there are too many peers.
  Link* FindOrAdd(const std::string& peer);
  void Forget(std::map<std::string, Link>::iterator link);

  // Fixed at construction.
  const Lane lane_;
  LaneServer& server_;
  grpc::ServerCompletionQueue& queue_;

  mutable std::mutex mutex_;
  std::condition_variable gone_;
  // Guarded by mutex_; the first two do not change between Start and the last callback.
  std::string address_;
  FrameReceiver* receiver_ = nullptr;
  bool running_ = false;
  uint64_t last_number_ = 0;
  std::map<std::string, Link> links_;
  std::set<StreamPtr> streams_;
  int greeting_ = 0;
  LaneStats stats_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_LANE_LINKS_H_
