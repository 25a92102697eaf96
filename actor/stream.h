// Streams: a source of items, anywhere, that gives an actor as many as it asks for.
//
//   auto [sink, lines] = troupe::MakeStream<std::string>(context.system(), /*capacity=*/16);
//   context.AddStream(std::move(lines));
//   context.RunBlocking([sink = std::move(sink)]() mutable {
//     for (std::string line; std::getline(std::cin, line);) {
//       absl::Status pushed = sink.Push(std::move(line), absl::Seconds(30));  // waits until the actor wants it
//       if (!pushed.ok()) return pushed;
//     }
//     sink.Finish();
//     return absl::OkStatus();
//   }, [](absl::Status) {});
//
// and in the actor, for each type of items that it takes:
//
//   void Handle(troupe::StreamItem<std::string> line, Context&);
//   void Handle(troupe::StreamFinished<std::string>, Context&);          // may be left out
//   void Handle(troupe::StreamFailed<std::string> failed, Context&);     // left out: the actor fails with it
//
// The sink is the source's end, the Stream the actor's; it may travel in a message before an actor takes it up. Before
// that nothing is asked for. Then the actor asks for as many items as the buffer holds, and for one more whenever it
// has taken one; or, with StreamDemand::kOnRequest, for as many as it says (Context::Request). A source
// never gives more than was asked for, as in Reactive Streams 1.0 (rule 1.1).
//
// Items are handled in the order in which they were pushed, each once, in turns of the actor that no other callback
// shares. An actor takes turns between its streams, an item each, and between them and its mail, a message and an item:
// a flood of the one does not hold up the other. Stops, notices, timers and control messages outrank both. A handler
// that fails fails the actor, and the item is not handled again.
//
// A stream ends when its sink finishes or fails it, after the items that came before; when the actor cancels it; and
// with its incarnation: a restart, too, cancels it. Cancelling drops the items that wait and tells the sink. Streams
// stay within a process.
#ifndef TROUPE_ACTOR_STREAM_H_
#define TROUPE_ACTOR_STREAM_H_

#include <glog/logging.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/stream_core.h"

namespace troupe {

template <typename T>
struct StreamItem {
  StreamId stream = 0;
  T item;
};
template <typename T>
struct StreamFinished {
  StreamId stream = 0;
};
template <typename T>
struct StreamFailed {
  StreamId stream = 0;
  absl::Status reason;
};

// The source's end. Let go before Finish or Fail, it fails the stream with kUnknown.
//   Threads:  any, one after the other: a stream has one source. Several sources have a stream each.
//   Limits:   what was not taken is left in the caller's hands, untouched.
//   Lifetime: may outlive actor and system, but then only to be let go.
template <typename T>
class StreamSink {
 public:
  StreamSink() = default;
  explicit StreamSink(std::shared_ptr<internal::StreamState<T>> state) : state_(std::move(state)) {}
  StreamSink(StreamSink&&) noexcept = default;
  StreamSink& operator=(StreamSink&& other) noexcept {
    if (this != &other) {
      LetGo();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~StreamSink() { LetGo(); }

  // kResourceExhausted: the actor has not asked for it yet. kUnavailable: nobody takes the items any more.
  // kFailedPrecondition: this sink has ended the stream.
  absl::Status TryPush(T&& item) { return state_->TryPush(std::move(item)); }

  // Blocks this thread until the actor asks for the item, at most so long: then kDeadlineExceeded. Otherwise as
  // TryPush. For threads and the blocking pool; never in an actor's turn (checked), nor under the deterministic
  // executor, which has one thread only.
  absl::Status Push(T&& item, Duration timeout) {
    internal::CheckMayWait();
    const Instant deadline = state_->executor().DeadlineIn(timeout);
    for (;;) {
      absl::Status pushed = TryPush(std::move(item));
      if (!absl::IsResourceExhausted(pushed)) return pushed;
      absl::Status ready = state_->Ready(deadline).Wait();
      if (!ready.ok()) return ready;
    }
  }

  // Ends in OK when an item can be pushed, about half a buffer of them if the actor asks by itself; else as Push does.
  // For a source that is an actor: context.Then(sink.Ready(absl::Seconds(5)), ...). A sink waits once at a time: a
  // wait that is under way ends in kResourceExhausted when another begins.
  Future<void> Ready(Duration timeout) { return state_->Ready(state_->executor().DeadlineIn(timeout)); }

  // No more items come. Nothing when the stream has ended.
  void Finish() { state_->End(absl::OkStatus()); }
  // The same for a source that broke; the status must not be OK.
  void Fail(absl::Status reason) {
    CHECK(!reason.ok()) << "Fail needs a reason; Finish has none";
    state_->End(std::move(reason));
  }

  // Whether the actor's end went away before it had taken all items: no further one is worth reading.
  bool cancelled() const { return state_->cancelled(); }

 private:
  void LetGo() {
    if (state_ != nullptr) state_->End(absl::UnknownError("the source of the stream ended without finishing it"));
  }

  std::shared_ptr<internal::StreamState<T>> state_;
};

// The actor's end, until an actor takes it up by Context::AddStream. Let go before, it cancels the stream.
template <typename T>
class Stream {
 public:
  explicit Stream(std::shared_ptr<internal::StreamState<T>> state) : state_(std::move(state)) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Stream() {
    if (state_ != nullptr) state_->Cancel();
  }

 private:
  template <typename A>
  friend class ActorContext;

  std::shared_ptr<internal::StreamState<T>> state_;
};

// Both ends. At most `capacity` items wait for the actor; they must move without throwing (checked). The system is the
// one whose actor will take it up.
template <typename T>
std::pair<StreamSink<T>, Stream<T>> MakeStream(ActorSystem& system, size_t capacity) {
  auto state = std::make_shared<internal::StreamState<T>>(system.executor(), capacity);
  return {StreamSink<T>(state), Stream<T>(state)};
}

namespace internal {

// The end of a stream that failed, for an actor that has no handler for that.
class UnhandledStreamFailure final : public LocalCell::Signal {
 public:
  explicit UnhandledStreamFailure(absl::Status reason) : reason_(std::move(reason)) {}
  void Run(LocalCell& cell) override {
    cell.RunInIncarnation(cell.incarnation(), [&] { cell.Fail(std::move(reason_)); });
  }

 private:
  absl::Status reason_;
};

template <typename A, typename T>
class StreamInletOf final : public StreamInlet {
 public:
  StreamInletOf(std::shared_ptr<StreamState<T>> state, StreamDemand demand)
      : state_(std::move(state)), demand_(demand) {}
  ~StreamInletOf() override { state_->Cancel(); }

  void Open(const std::shared_ptr<LocalCell>& cell, StreamId id) override {
    id_ = id;
    state_->Open(cell, id, demand_);
  }
  void Request(uint64_t items) override {
    if (demand_ == StreamDemand::kOnRequest) state_->Request(items);
  }
  Taken Take() override {
    typename StreamState<T>::Taken taken = state_->Take();
    if (taken.item.has_value()) {
      return {Message(StreamItem<T>{id_, *std::move(taken.item)}), taken.dry ? Taken::kDry : Taken::kMore};
    }
    CHECK(taken.end.has_value()) << "a stream announced itself with nothing to give";
    return {EndMessage(*std::move(taken.end)), Taken::kEnded};
  }

 private:
  template <typename M>
  static std::unique_ptr<MailboxItem> Message(M message) {
    return std::make_unique<HandlerEnvelope<A, M>>(std::move(message));
  }
  std::unique_ptr<MailboxItem> EndMessage(absl::Status reason) {
    if (!reason.ok()) {
      if constexpr (Handles<A, StreamFailed<T>>) {
        return Message(StreamFailed<T>{id_, std::move(reason)});
      } else {
        return std::make_unique<UnhandledStreamFailure>(std::move(reason));
      }
    }
    if constexpr (Handles<A, StreamFinished<T>>) return Message(StreamFinished<T>{id_});
    return nullptr;
  }

  const std::shared_ptr<StreamState<T>> state_;
  const StreamDemand demand_;
  StreamId id_ = 0;
};

}  // namespace internal

template <typename A>
template <typename T>
StreamId ActorContext<A>::AddStream(Stream<T> stream, StreamDemand demand) {
  static_assert(Handles<A, StreamItem<T>>, "the actor has no Handle(StreamItem<T>, Context&) for this stream's items");
  CHECK(stream.state_ != nullptr) << "this stream has been taken up already";
  return cell_.AddStream(std::make_unique<internal::StreamInletOf<A, T>>(std::move(stream.state_), demand));
}

}  // namespace troupe

#endif  // TROUPE_ACTOR_STREAM_H_
