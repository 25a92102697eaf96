// Each line that says "wrong" must be an error of one line; wrong_message_test.sh looks at them.
#include "actor/actor.h"
#include "actor/recipient.h"

struct Heard {};
struct Unheard {};

class Listener : public troupe::Actor<Listener> {
 public:
  void Handle(Heard, Context&) {}
};

void Right(const troupe::Address<Listener>& listener) {
  listener.Tell(Heard{});
  (void)listener.Ask(Heard{}, absl::Seconds(1));
  (void)listener.Ask<Heard>();
  (void)listener.AskWithin<Heard>(absl::Seconds(1));
  (void)listener.TellWait<Heard>();
  (void)listener.TellWithin<Heard>(absl::Seconds(1));
  listener.Forward(Heard{}, troupe::Reply<void>());
  troupe::Recipient<Heard> recipient = listener;
}

#ifdef WRONG
void Wrong(const troupe::Address<Listener>& listener) {
  /*wrong*/ listener.Tell(Unheard{});
  /*wrong*/ (void)listener.Ask(Unheard{});
  /*wrong*/ (void)listener.Ask(Unheard{}, absl::Seconds(1));
  /*wrong*/ (void)listener.Ask<Unheard>();
  /*wrong*/ (void)listener.Ask<Unheard>(Unheard{});
  /*wrong*/ (void)listener.AskWithin<Unheard>(absl::Seconds(1));
  /*wrong*/ (void)listener.TellWait<Unheard>();
  /*wrong*/ (void)listener.TellWithin<Unheard>(absl::Seconds(1));
  /*wrong*/ listener.Forward(Unheard{}, troupe::Reply<void>());
  /*wrong*/ troupe::Recipient<Unheard> recipient(listener);
}
#endif
