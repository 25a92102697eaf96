// A bus for messages of one type: publishers name a topic, subscribers a pattern over topics (topic_pattern.h).
//
//   using OrderBus = troupe::TopicBus<Order>;
//   Address<OrderBus> bus = system.Spawn<OrderBus>();
//   bus.Ask(OrderBus::Subscribe("orders.*.created", auditor));    // auditor handles Published<Order>
//   bus.Tell(OrderBus::Publish{"orders.eu.created", order});
#ifndef TROUPE_ACTOR_TOPIC_BUS_H_
#define TROUPE_ACTOR_TOPIC_BUS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "actor/actor.h"
#include "actor/topic_pattern.h"

namespace troupe {

// What a subscriber handles. All subscribers share one message.
template <typename M>
struct Published {
  std::string topic;
  std::shared_ptr<const M> message;
};

struct TopicBusStats {
  size_t subscribers = 0;
  size_t subscriptions = 0;  // pairs of subscriber and pattern
  uint64_t published = 0;
  uint64_t unheard = 0;    // of these, the ones that nobody had subscribed to
  uint64_t malformed = 0;  // publications whose topic was none; not among `published`
  // For each publication and subscriber one of the two: its mailbox had room, or it was full or closed and a message is
  // lost, by the mailbox's policy this one or an older one. A far mailbox is not seen from here: there, what was sent
  // counts as delivered.
  uint64_t delivered = 0;
  uint64_t dropped = 0;
};

//   Ordering: what one publisher publishes reaches each subscriber in that order.
//   Limits:   any number of subscribers. The bus's own mailbox refuses publications as any mailbox does; past it a
//             message waits in the subscribers' mailboxes, and one that is full does with it what its policy says: what
//             is lost is counted, and a dead letter. A slow subscriber holds up neither the publisher nor the others.
//   Lifetime: subscribers that terminate are removed. Subscriptions live as long as the bus's incarnation, and nothing
//             in the bus fails.
template <typename M>
class TopicBus : public Actor<TopicBus<M>> {
 public:
  using Context = typename Actor<TopicBus<M>>::Context;

  // From now on the subscriber gets each message whose topic matches: once, also when several of its patterns match.
  // Subscribing twice is subscribing once. kInvalidArgument: no pattern.
  struct Subscribe {
    using Result = void;
    std::string pattern;
    Recipient<Published<M>> subscriber;
  };

  // Takes one pattern back. kNotFound: the subscriber had not subscribed with it.
  struct Unsubscribe {
    using Result = void;
    std::string pattern;
    Recipient<Published<M>> subscriber;
  };

  // Answered, if asked, with how many subscribers had room for it. kInvalidArgument: no topic.
  struct Publish {
    using Result = size_t;
    std::string topic;
    M message;
  };

  struct GetStats {
    using Result = TopicBusStats;
  };

  absl::Status Handle(Subscribe subscribe, Context& context) {
    if (absl::Status valid = ValidatePattern(subscribe.pattern); !valid.ok()) return valid;
    const ActorId id = subscribe.subscriber.id();
    auto [subscriber, first] = subscribers_.try_emplace(id, Subscriber{subscribe.subscriber, {}});
    // If it has terminated already, the notice comes at once.
    if (first) context.Watch(subscriber->second.recipient);
    if (trie_.Insert(subscribe.pattern, id.value)) {
      subscriber->second.patterns.insert(std::move(subscribe.pattern));
      ++stats_.subscriptions;
    }
    return absl::OkStatus();
  }

  absl::Status Handle(Unsubscribe unsubscribe, Context& context) {
    auto subscriber = subscribers_.find(unsubscribe.subscriber.id());
    if (subscriber == subscribers_.end() || subscriber->second.patterns.erase(unsubscribe.pattern) == 0) {
      return absl::NotFoundError("no such subscription");
    }
    trie_.Remove(unsubscribe.pattern, unsubscribe.subscriber.id().value);
    --stats_.subscriptions;
    if (subscriber->second.patterns.empty()) {
      context.Unwatch(subscriber->second.recipient);
      subscribers_.erase(subscriber);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> Handle(Publish publish, Context&) {
    if (absl::Status valid = ValidateTopic(publish.topic); !valid.ok()) {
      ++stats_.malformed;
      return valid;
    }
    ++stats_.published;
    const std::vector<uint64_t> ids = trie_.Match(publish.topic);
    if (ids.empty()) ++stats_.unheard;
    const auto message = std::make_shared<const M>(std::move(publish.message));
    size_t delivered = 0;
    for (uint64_t id : ids) {
      const Subscriber& subscriber = subscribers_.at(ActorId{id});
      if (subscriber.recipient.TellSeeingRoom(Published<M>{publish.topic, message})) ++delivered;
    }
    stats_.delivered += delivered;
    stats_.dropped += ids.size() - delivered;
    return delivered;
  }

  void Handle(Terminated terminated, Context&) {
    auto subscriber = subscribers_.find(terminated.id);
    if (subscriber == subscribers_.end()) return;
    for (const std::string& pattern : subscriber->second.patterns) trie_.Remove(pattern, terminated.id.value);
    stats_.subscriptions -= subscriber->second.patterns.size();
    subscribers_.erase(subscriber);
  }

  TopicBusStats Handle(GetStats, Context&) {
    stats_.subscribers = subscribers_.size();
    return stats_;
  }

 private:
  struct Subscriber {
    Recipient<Published<M>> recipient;
    std::set<std::string> patterns;
  };

  std::map<ActorId, Subscriber> subscribers_;
  TopicTrie trie_;  // holds the ids
  TopicBusStats stats_;
};

}  // namespace troupe

#endif  // TROUPE_ACTOR_TOPIC_BUS_H_
