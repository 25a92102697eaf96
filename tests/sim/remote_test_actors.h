// Actors and messages for tests of what crosses nodes, with protobuf's own wrappers as their wire forms.
#ifndef TROUPE_TESTS_SIM_REMOTE_TEST_ACTORS_H_
#define TROUPE_TESTS_SIM_REMOTE_TEST_ACTORS_H_

#include <google/protobuf/wrappers.pb.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "actor/actor.h"
#include "cluster/cluster.h"
#include "cluster/wire_format.h"

namespace troupe::sim {

// Answered with its text.
struct Say {
  using Result = std::string;
  std::string text;
};
// Remembered.
struct Note {
  std::string text;
};
// Answered when LetGo comes: those with its text, or, when it has none, all, the youngest first.
struct Hold {
  using Result = std::string;
  std::string text;
};
struct LetGo {
  std::string text;
};
// Answered with an error that has this message, and a payload.
struct Refuse {
  using Result = std::string;
  std::string text;
};
// Answered with an error whose message has so many bytes.
struct Lament {
  using Result = std::string;
  std::string text;
};
// The handler throws this.
struct Crash {
  using Result = std::string;
  std::string text;
};
// Answered with so many bytes.
struct Inflate {
  using Result = std::string;
  std::string text;
};
// Refused by FromProto when the text is "junk".
struct Picky {
  using Result = std::string;
  std::string text;
};
// Has no wire form.
struct Secret {
  using Result = std::string;
};
// Exposed by the sender only.
struct Newfangled {
  using Result = std::string;
  std::string text;
};

class Parrot : public Actor<Parrot> {
 public:
  // `log` outlives the system.
  explicit Parrot(std::vector<std::string>* log) : log_(log) {}

  std::string Handle(Say say, Context&) {
    log_->push_back(say.text);
    return say.text;
  }
  void Handle(Note note, Context&) { log_->push_back(note.text); }
  void Handle(Hold hold, Reply<std::string> reply, Context&) {
    log_->push_back(hold.text);
    held_.emplace_back(hold.text, std::move(reply));
  }
  void Handle(LetGo let_go, Context&) {
    for (size_t i = held_.size(); i > 0; --i) {
      auto& [text, reply] = held_[i - 1];
      if (reply.asked() && (let_go.text.empty() || let_go.text == text)) reply(text);
    }
  }
  Outcome<std::string> Handle(Refuse refuse, Context&) {
    absl::Status status = absl::AbortedError(refuse.text);
    status.SetPayload("type.example/detail", absl::Cord(std::string("more\0\xff", 6)));
    return status;
  }
  Outcome<std::string> Handle(Lament lament, Context&) {
    return absl::AbortedError(std::string(std::stoul(lament.text), 'e'));
  }
  std::string Handle(Crash crash, Context&) { throw std::runtime_error(crash.text); }
  std::string Handle(Inflate inflate, Context&) { return std::string(std::stoul(inflate.text), 'x'); }
  std::string Handle(Picky picky, Context&) { return picky.text; }
  std::string Handle(Secret, Context&) { return "told"; }
  std::string Handle(Newfangled newfangled, Context&) { return newfangled.text; }
  void Handle(NameLost lost, Context&) { log_->push_back("lost " + lost.name + " to " + lost.winner); }

 private:
  std::vector<std::string>* log_;
  std::vector<std::pair<std::string, Reply<std::string>>> held_;
};

// Of another type, with a message in common.
class Owl : public Actor<Owl> {
 public:
  std::string Handle(Say, Context&) { return "hoot"; }
};

struct WatchIt {
  Address<Parrot> parrot;
};
struct UnwatchIt {
  Address<Parrot> parrot;
};
// Logs the ends of what it watches, as "stopped" or their reason.
class Watcher : public Actor<Watcher> {
 public:
  explicit Watcher(std::vector<std::string>* log) : log_(log) {}
  void Handle(WatchIt it, Context& context) { context.Watch(it.parrot); }
  void Handle(UnwatchIt it, Context& context) { context.Unwatch(it.parrot); }
  void Handle(Terminated terminated, Context&) {
    log_->push_back(terminated.reason.ok() ? "stopped" : std::string(terminated.reason.message()));
  }

 private:
  std::vector<std::string>* log_;
};

}  // namespace troupe::sim

namespace troupe {

template <>
struct WireFormat<std::string> {
  using Proto = google::protobuf::BytesValue;
  static Proto ToProto(std::string text) {
    Proto proto;
    proto.set_value(std::move(text));
    return proto;
  }
  static absl::StatusOr<std::string> FromProto(Proto proto) { return std::move(*proto.mutable_value()); }
};

template <typename M>
struct TextFormat {
  using Proto = google::protobuf::BytesValue;
  static Proto ToProto(M message) { return WireFormat<std::string>::ToProto(std::move(message.text)); }
  static absl::StatusOr<M> FromProto(Proto proto) { return M{std::move(*proto.mutable_value())}; }
};
template <>
struct WireFormat<sim::Say> : TextFormat<sim::Say> {
  static constexpr std::string_view kName = "test.Say";
};
template <>
struct WireFormat<sim::Note> : TextFormat<sim::Note> {
  static constexpr std::string_view kName = "test.Note";
};
template <>
struct WireFormat<sim::Hold> : TextFormat<sim::Hold> {
  static constexpr std::string_view kName = "test.Hold";
};
template <>
struct WireFormat<sim::LetGo> : TextFormat<sim::LetGo> {
  static constexpr std::string_view kName = "test.LetGo";
};
template <>
struct WireFormat<sim::Refuse> : TextFormat<sim::Refuse> {
  static constexpr std::string_view kName = "test.Refuse";
};
template <>
struct WireFormat<sim::Lament> : TextFormat<sim::Lament> {
  static constexpr std::string_view kName = "test.Lament";
};
template <>
struct WireFormat<sim::Crash> : TextFormat<sim::Crash> {
  static constexpr std::string_view kName = "test.Crash";
};
template <>
struct WireFormat<sim::Inflate> : TextFormat<sim::Inflate> {
  static constexpr std::string_view kName = "test.Inflate";
};
template <>
struct WireFormat<sim::Picky> : TextFormat<sim::Picky> {
  static constexpr std::string_view kName = "test.Picky";
  static absl::StatusOr<sim::Picky> FromProto(Proto proto) {
    if (proto.value() == "junk") return absl::InvalidArgumentError("a parrot does not eat junk");
    return sim::Picky{proto.value()};
  }
};
template <>
struct WireFormat<sim::Newfangled> : TextFormat<sim::Newfangled> {
  static constexpr std::string_view kName = "test.Newfangled";
};

}  // namespace troupe

#endif  // TROUPE_TESTS_SIM_REMOTE_TEST_ACTORS_H_
