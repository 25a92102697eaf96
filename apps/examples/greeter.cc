#include <iostream>

#include "actor/actor.h"

struct Greet {
  using Result = std::string;
  std::string name;
};

class Greeter : public troupe::Actor<Greeter> {
 public:
  std::string Handle(Greet greet, Context&) { return "Hello, " + greet.name + "!"; }
};

int main() {
  troupe::ActorSystem system;
  troupe::Address<Greeter> greeter = system.Spawn<Greeter>();
  absl::StatusOr<std::string> reply = greeter.Ask(Greet{"Cinema"}).Wait();
  std::cout << reply.value() << "\n";
}
