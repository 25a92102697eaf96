// A worker that crashes: who asked is told, and a new worker takes over its address and its mail, after a backoff. One
// that crashes too often is given up, and whoever watches it is told why.
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>

#include "absl/strings/str_cat.h"
#include "actor/actor.h"

struct Divide {
  using Result = std::string;
  int dividend;
  int divisor;
};

class Worker : public troupe::Actor<Worker> {
 public:
  std::string Handle(Divide divide, Context&) {
    if (divide.divisor == 0) throw std::domain_error("division by zero");
    return absl::StrCat(divide.dividend / divide.divisor, ", job ", ++jobs_done_, " of this worker");
  }

 private:
  int jobs_done_ = 0;
};

struct HowDidItEnd {
  using Result = std::string;
};

class Watcher : public troupe::Actor<Watcher> {
 public:
  explicit Watcher(troupe::Address<Worker> worker) : worker_(std::move(worker)) {}

  void Started(Context& context) { context.Watch(worker_); }
  void Handle(troupe::Terminated terminated, Context&) {
    end_ = std::string(terminated.reason.message());
    asker_(*end_);
  }
  // Answers later when there is nothing to tell yet.
  void Handle(HowDidItEnd, troupe::Reply<std::string> reply, Context&) {
    if (end_.has_value()) return reply(*end_);
    asker_ = std::move(reply);
  }

 private:
  const troupe::Address<Worker> worker_;
  std::optional<std::string> end_;
  troupe::Reply<std::string> asker_;
};

int main() {
  troupe::ActorSystem system;
  const troupe::SpawnOptions twice = {
      .on_failure = troupe::OnFailure::kRestart,
      .restart_limit = {.max_restarts = 2, .within = absl::Minutes(1)},
      .restart_backoff = {.initial = absl::Milliseconds(100)},
  };
  troupe::Address<Worker> worker = system.Spawn<Worker>(twice);
  troupe::Address<Watcher> watcher = system.Spawn<Watcher>(worker);

  for (const Divide& job : {Divide{10, 2}, {9, 3}, {1, 0}, {8, 2}, {2, 0}, {7, 7}, {3, 0}, {6, 2}}) {
    absl::StatusOr<std::string> answer = worker.Ask(job).Wait();
    std::cout << job.dividend << " / " << job.divisor << ": "
              << (answer.ok() ? *answer : std::string(answer.status().message())) << "\n";
  }
  std::cout << "The worker was given up: " << watcher.Ask(HowDidItEnd{}).Wait().value() << "\n";
}
