// A chat: what one guest types, all of them see. Try it with nc 127.0.0.1 7400, in two terminals.
//
// The sockets block, each on a thread of the blocking pool, and feed streams: one of guests that arrive, and for each
// guest one of lines. A single actor, the room, takes them all. A reader reads on only when the room asks for more, so
// that a guest who floods the room waits in his own socket, and the others have their turn.
#include <signal.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "actor/stream.h"
#include "actor/thread_executor.h"
#include "apps/examples/socket.h"

using SocketPtr = std::shared_ptr<Socket>;

constexpr size_t kMaxGuests = 16;
constexpr int kThreads = kMaxGuests + 1;  // that block: one for each guest, one that accepts

// Gives what `read` returns to the room until one of them has enough.
template <typename T, typename Read>
absl::Status Feed(troupe::StreamSink<T> sink, Read read) {
  for (;;) {
    absl::StatusOr<T> item = read();
    if (absl::IsOutOfRange(item.status())) {
      sink.Finish();
      return absl::OkStatus();
    }
    if (!item.ok()) {
      sink.Fail(item.status());
      return item.status();
    }
    absl::Status pushed = sink.Push(*std::move(item), absl::Minutes(1));
    if (!pushed.ok()) return pushed;
  }
}

class Room : public troupe::Actor<Room> {
 public:
  explicit Room(SocketPtr door) : door_(std::move(door)) {}
  // The readers of a room that is gone, or will begin anew, must not wait for their guests.
  ~Room() override {
    for (auto& [stream, guest] : guests_) guest.socket->HangUp();
  }

  void Started(Context& context) {
    ReadInto<SocketPtr>(context, [door = door_] { return door->Accept(); });
  }

  void Handle(troupe::StreamItem<SocketPtr> arrival, Context& context) {
    if (guests_.size() == kMaxGuests) {
      arrival.item->Send("The server is full. Please come back later.\n");
      return;  // nobody else holds the socket, so this closes it
    }
    const auto stream = ReadInto<std::string>(context, [socket = arrival.item] { return socket->ReadLine(); });
    const std::string name = absl::StrCat("guest", ++arrivals_);
    guests_[stream] = Guest{name, std::move(arrival.item)};
    Say(absl::StrCat("* ", name, " is here"));
  }

  void Handle(troupe::StreamItem<std::string> line, Context&) {
    Say(absl::StrCat(guests_[line.stream].name, ": ", line.item));
  }
  void Handle(troupe::StreamFinished<std::string> end, Context&) { Leave(end.stream, " has left"); }
  void Handle(troupe::StreamFailed<std::string> end, Context&) {
    Leave(end.stream, absl::StrCat(" was sent away: ", end.reason.message()));
  }

 private:
  struct Guest {
    std::string name;
    SocketPtr socket;
  };

  template <typename T, typename Read>
  troupe::StreamId ReadInto(Context& context, Read read) {
    auto [sink, stream] = troupe::MakeStream<T>(context.system(), /*capacity=*/4);
    context.RunBlocking([sink = std::move(sink), read]() mutable { return Feed(std::move(sink), read); },
                        [](absl::Status) {});
    return context.AddStream(std::move(stream));
  }

  void Say(const std::string& line) {
    for (auto& [stream, guest] : guests_) {
      // Who does not read what is said is sent away: his reader finds the end, and his stream finishes.
      if (!guest.socket->Send(line + "\n")) guest.socket->HangUp();
    }
  }

  void Leave(troupe::StreamId stream, const std::string& how) {
    const Guest guest = std::move(guests_.extract(stream).mapped());
    guest.socket->HangUp();
    Say(absl::StrCat("* ", guest.name, how));
  }

  const SocketPtr door_;
  std::map<troupe::StreamId, Guest> guests_;
  int arrivals_ = 0;
};

int main(int argc, char** argv) {
  int port = 7400;  // 0: one that is free
  if (argc > 2 || (argc == 2 && !absl::SimpleAtoi(absl::StripPrefix(argv[1], "--port="), &port)) || port < 0 ||
      port > 65535) {
    std::cerr << "usage: chat_server [--port=7400]\n";
    return 2;
  }
  // Blocked in every thread that follows; taken below.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  absl::StatusOr<SocketPtr> door = Socket::Listen(port);
  if (!door.ok()) {
    std::cerr << "error: " << door.status().message() << "\n";
    return 1;
  }
  troupe::ThreadExecutor executor({.blocking_threads = kThreads});
  troupe::ActorSystem system(executor);
  // A room that cannot accept, for want of file descriptors perhaps, tries again.
  system.Spawn<Room>(troupe::SpawnOptions{.restart_backoff = {.initial = absl::Seconds(1)}}, *door);
  std::cout << "listening at 127.0.0.1:" << (*door)->port() << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  (*door)->HangUp();
  return system.Shutdown(absl::Seconds(5)).ok() ? 0 : 1;
}
