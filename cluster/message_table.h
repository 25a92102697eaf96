// Which actors can be reached from other nodes, by which messages.
#ifndef TROUPE_CLUSTER_MESSAGE_TABLE_H_
#define TROUPE_CLUSTER_MESSAGE_TABLE_H_

#include <glog/logging.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <typeindex>
#include <typeinfo>
#include <unordered_map>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "actor/actor.h"
#include "cluster/wire_format.h"

namespace troupe {

// Called once with an ask's outcome, the result in its wire form.
using WireReply = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

// Filled before the first message, then only read, from any thread.
class MessageTable {
 public:
  // What a node needs to send messages of one type.
  struct Outbound {
    std::string name;
    std::string (*encode)(Envelope& envelope);    // takes the message out
    WireReply (*take_reply)(Envelope& envelope);  // brings the result back to the asker; null for a Tell
  };
  // Makes what came from a node into a message for an actor. `reply` is called at `deadline` at the latest; null:
  // nobody waits.
  using Inbound = absl::StatusOr<std::unique_ptr<Envelope>> (*)(const std::string& payload, Executor& executor,
                                                                Instant deadline, WireReply reply);

  // Actors of type A can be reached by messages of these types.
  template <typename A, typename... Ms>
  void Expose() {
    (ExposeOne<A, Ms>(), ...);
  }

  const Outbound* FindOutbound(const std::type_info& message) const {
    auto found = outbound_.find(message);
    return found == outbound_.end() ? nullptr : &found->second;
  }
  // Whether actors of this type can be reached at all.
  bool Exposes(const std::type_info& actor) const { return inbound_.contains(actor); }
  // Null: actors of this type take no such message.
  Inbound FindInbound(const std::type_info& actor, std::string_view message) const {
    auto found = inbound_.find(actor);
    if (found == inbound_.end()) return nullptr;
    auto handler = found->second.find(message);
    return handler == found->second.end() ? nullptr : handler->second;
  }

 private:
  template <typename M>
  static std::string NameOf() {
    if constexpr (requires { WireFormat<M>::kName; }) {
      return std::string(WireFormat<M>::kName);
    } else {
      return M().GetTypeName();
    }
  }

  template <typename A, typename M>
  requires Handles<A, M>
  void ExposeOne() {
    outbound_[typeid(M)] = Outbound{NameOf<M>(), &Encode<M>, &TakeReply<M>};
    const bool is_new = inbound_[typeid(A)].try_emplace(NameOf<M>(), &Decode<A, M>).second;
    CHECK(is_new) << "two messages to " << TypeName(typeid(A)) << " have the name " << NameOf<M>();
  }

  template <typename M>
  static std::string Encode(Envelope& envelope) {
    return EncodeForWire<M>(std::move(*static_cast<M*>(envelope.message())));
  }

  template <typename M>
  static WireReply TakeReply(Envelope& envelope) {
    using R = ResultOf<M>;
    Reply<R> reply = static_cast<MessageEnvelope<M>&>(envelope).TakeReply();
    if (!reply.asked()) return nullptr;
    return [reply = std::move(reply)](absl::StatusOr<std::string> bytes) mutable {
      if (!bytes.ok()) {
        reply(bytes.status());
      } else if constexpr (std::is_void_v<R>) {
        reply(absl::OkStatus());
      } else {
        absl::StatusOr<R> result = DecodeFromWire<R>(*bytes);
        // Unlike a message that nobody could read, a question with such an answer was handled.
        if (!result.ok()) result = absl::UnknownError(absl::StrCat("an answer came, but: ", result.status().message()));
        reply(std::move(result));
      }
    };
  }

  template <typename A, typename M>
  static absl::StatusOr<std::unique_ptr<Envelope>> Decode(const std::string& payload, Executor& executor,
                                                          Instant deadline, WireReply wire_reply) {
    using R = ResultOf<M>;
    absl::StatusOr<M> message = DecodeFromWire<M>(payload);
    if (!message.ok()) return message.status();
    Reply<R> reply;
    if (wire_reply) {
      auto [future, asked] = MakeFuture<R>(executor, deadline);
      reply = std::move(asked);
      std::move(future).Then([wire_reply = std::move(wire_reply)](Outcome<R> outcome) mutable {
        if (!outcome.ok()) {
          if constexpr (std::is_void_v<R>) {
            wire_reply(std::move(outcome));
          } else {
            wire_reply(outcome.status());
          }
        } else if constexpr (std::is_void_v<R>) {
          wire_reply(std::string());
        } else {
          wire_reply(EncodeForWire<R>(*std::move(outcome)));
        }
      });
    }
    auto envelope = std::make_unique<HandlerEnvelope<A, M>>(*std::move(message), std::move(reply));
    envelope->deadline = deadline;
    envelope->sender = ActorId();
    return envelope;
  }

  std::unordered_map<std::type_index, Outbound> outbound_;
  std::unordered_map<std::type_index, std::map<std::string, Inbound, std::less<>>> inbound_;
};

}  // namespace troupe

#endif  // TROUPE_CLUSTER_MESSAGE_TABLE_H_
