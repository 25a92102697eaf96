// The streams into one actor, as its cell sees them: whose turn is next, and where the items come from. stream.h is
// what users read.
#ifndef TROUPE_ACTOR_CELL_STREAMS_H_
#define TROUPE_ACTOR_CELL_STREAMS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "actor/mailbox.h"

namespace troupe {

class LocalCell;
template <typename T>
class Stream;

// Of one stream into one actor, which never uses it again.
using StreamId = uint64_t;

// When an actor asks for the items of a stream.
enum class StreamDemand {
  kAutomatic,  // for the next when it has handled one; as many as the stream's buffer holds may wait
  kOnRequest,  // when it says so, by Context::Request
};

namespace internal {

// The actor's end of one stream, with the types of actor and item erased. Its destruction tells the sink that nobody
// takes its items any more.
class StreamInlet {
 public:
  struct Taken {
    std::unique_ptr<MailboxItem> item;  // null: nothing waits, or the actor does not want to know of this end
    enum { kMore, kDry, kEnded } then = kDry;
  };

  virtual ~StreamInlet() = default;
  // Asks for the first items. From here on the cell hears OnStreamReady when something waits.
  virtual void Open(const std::shared_ptr<LocalCell>& cell, StreamId id) = 0;
  virtual Taken Take() = 0;
  virtual void Request(uint64_t items) = 0;
};

//   Threads:  the actor's turn only.
//   Ordering: streams in which something waits take turns, an item each.
class CellStreams {
 public:
  StreamId Add(std::unique_ptr<StreamInlet> inlet, const std::shared_ptr<LocalCell>& cell);
  // False: no such stream; it may have ended.
  bool Cancel(StreamId id) { return inlets_.erase(id) > 0; }
  bool Request(StreamId id, uint64_t items);
  void CancelAll();

  // Something waits in this stream, which did not before. False: there is no such stream.
  bool MarkReady(StreamId id);
  // Null: nothing waits in any stream.
  std::unique_ptr<MailboxItem> Next();

  // True, false, true, and so on: whether a message that waits goes first.
  bool TakeTurns() { return message_first_ = !message_first_; }

  // False: the signal that keeps the actor scheduled is on its way already.
  bool BeginComingBack() { return !std::exchange(coming_back_, true); }
  void CameBack() { coming_back_ = false; }

 private:
  StreamId next_id_ = 1;
  bool message_first_ = false;
  bool coming_back_ = false;
  std::map<StreamId, std::unique_ptr<StreamInlet>> inlets_;
  std::deque<StreamId> ready_;  // each once; some may have been cancelled
};

}  // namespace internal
}  // namespace troupe

#endif  // TROUPE_ACTOR_CELL_STREAMS_H_
