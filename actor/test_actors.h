// Actors for the tests of this folder.
#ifndef TROUPE_ACTOR_TEST_ACTORS_H_
#define TROUPE_ACTOR_TEST_ACTORS_H_

#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/testkit.h"

namespace troupe::testing {

struct Note {
  std::string text;
};
struct ReadNotes {
  using Result = std::vector<std::string>;
};
struct Crash {
  using Result = std::string;
};
struct FailPolitely {
  using Result = std::string;
};
struct StopYourself {};
struct Urgent {
  static constexpr bool kControl = true;
  std::string text;
};

// Remembers what it is told, in this incarnation; writes what happens to it into a log that outlives it.
class Notebook : public Actor<Notebook> {
 public:
  explicit Notebook(std::vector<std::string>* log = nullptr) : log_(log) {}

  void Started(Context&) { Log("started"); }
  void Stopping(Context&) { Log("stopping"); }
  void Restarting(const absl::Status& failure, Context&) { Log("restarting: " + std::string(failure.message())); }

  void Handle(Note note, Context&) { notes_.push_back(std::move(note.text)); }
  void Handle(Urgent urgent, Context&) { notes_.push_back(std::move(urgent.text)); }
  std::vector<std::string> Handle(ReadNotes, Context&) { return notes_; }
  std::string Handle(Crash, Context&) { throw std::runtime_error("ink spilled"); }
  std::string Handle(FailPolitely, Context& context) {
    context.Fail(absl::DataLossError("page torn"));
    return "never seen";
  }
  void Handle(StopYourself, Context& context) { context.Stop(); }

 private:
  void Log(std::string line) {
    if (log_ != nullptr) log_->push_back(std::move(line));
  }

  std::vector<std::string>* log_;
  std::vector<std::string> notes_;
};

// Is busy on its thread until it is let go.
struct BeBusy {};
class Busy : public Actor<Busy> {
 public:
  Busy(std::promise<void>* entered, std::shared_future<void> release)
      : entered_(entered), release_(std::move(release)) {}
  void Handle(BeBusy, Context&) {
    entered_->set_value();
    release_.wait();
  }

 private:
  std::promise<void>* entered_;
  std::shared_future<void> release_;
};

}  // namespace troupe::testing

#endif  // TROUPE_ACTOR_TEST_ACTORS_H_
