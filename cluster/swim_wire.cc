#include "cluster/swim_wire.h"

#include <utility>
#include <vector>

#include "troupe/internal/v1/membership.pb.h"

namespace troupe {
namespace {

namespace pb = internal::v1;

void ToProto(const swim::Node& node, pb::PeerNode& out) {
  out.set_name(node.name);
  out.set_id(node.id);
  out.set_generation(node.generation);
  out.set_address(node.address);
}

swim::Node FromProto(const pb::PeerNode& node) { return {node.name(), node.id(), node.generation(), node.address()}; }

pb::PeerState ToProto(swim::State state) {
  switch (state) {
    case swim::State::kAlive:
      return pb::PEER_STATE_ALIVE;
    case swim::State::kSuspect:
      return pb::PEER_STATE_SUSPECT;
    case swim::State::kDead:
      return pb::PEER_STATE_DEAD;
    case swim::State::kLeft:
      return pb::PEER_STATE_LEFT;
  }
  return pb::PEER_STATE_UNSPECIFIED;
}

using Updates = google::protobuf::RepeatedPtrField<pb::PeerUpdate>;

void ToProto(const std::vector<swim::Update>& updates, Updates& out) {
  for (const swim::Update& update : updates) {
    pb::PeerUpdate& to = *out.Add();
    ToProto(update.node, *to.mutable_node());
    to.set_incarnation(update.incarnation);
    to.set_state(ToProto(update.state));
    to.set_from(update.from);
  }
}

// A fact in a state that this release does not know is left out.
std::vector<swim::Update> FromProto(const Updates& updates) {
  std::vector<swim::Update> out;
  for (const pb::PeerUpdate& update : updates) {
    if (update.state() < pb::PEER_STATE_ALIVE || update.state() > pb::PEER_STATE_LEFT) continue;
    const auto state = static_cast<swim::State>(update.state() - pb::PEER_STATE_ALIVE);
    out.push_back({FromProto(update.node()), update.incarnation(), state, update.from()});
  }
  return out;
}

struct BodyToProto {
  pb::SwimMessage& out;
  void operator()(const swim::Ping& ping) const {
    out.mutable_ping()->set_seq(ping.seq);
    out.mutable_ping()->set_target(ping.target);
  }
  void operator()(const swim::PingRequest& request) const {
    out.mutable_ping_request()->set_seq(request.seq);
    ToProto(request.target, *out.mutable_ping_request()->mutable_target());
  }
  void operator()(const swim::Ack& ack) const { out.mutable_ack()->set_seq(ack.seq); }
  void operator()(const swim::Nack& nack) const { out.mutable_nack()->set_seq(nack.seq); }
  void operator()(const swim::Gossip&) const { out.mutable_gossip_only(); }
  void operator()(const swim::Sync& sync) const {
    ToProto(sync.table, *out.mutable_sync()->mutable_table());
    out.mutable_sync()->set_answer(sync.answer);
  }
  void operator()(const swim::JoinRequest&) const { out.mutable_join_request(); }
  void operator()(const swim::JoinAnswer& answer) const {
    pb::SwimJoinAnswer& to = *out.mutable_join_answer();
    to.set_refusal(answer.refusal);
    to.set_final(answer.final);
    to.set_generation(answer.generation);
    ToProto(answer.table, *to.mutable_table());
  }
};

}  // namespace

std::string EncodeSwimMessage(const swim::Message& message) {
  pb::SwimMessage out;
  out.set_cluster_id(message.cluster_id);
  ToProto(message.from, *out.mutable_from());
  out.set_incarnation(message.incarnation);
  std::visit(BodyToProto{out}, message.body);
  ToProto(message.gossip, *out.mutable_gossip());
  return out.SerializeAsString();
}

absl::StatusOr<swim::Message> DecodeSwimMessage(const std::string& bytes) {
  pb::SwimMessage in;
  if (!in.ParseFromString(bytes)) return absl::InvalidArgumentError("not a message of the membership");
  swim::Message message{in.cluster_id(), FromProto(in.from()), in.incarnation(), swim::Gossip{},
                        FromProto(in.gossip())};
  switch (in.body_case()) {
    case pb::SwimMessage::kPing:
      message.body = swim::Ping{in.ping().seq(), in.ping().target()};
      break;
    case pb::SwimMessage::kPingRequest:
      message.body = swim::PingRequest{in.ping_request().seq(), FromProto(in.ping_request().target())};
      break;
    case pb::SwimMessage::kAck:
      message.body = swim::Ack{in.ack().seq()};
      break;
    case pb::SwimMessage::kNack:
      message.body = swim::Nack{in.nack().seq()};
      break;
    case pb::SwimMessage::kGossipOnly:
      break;
    case pb::SwimMessage::kSync:
      message.body = swim::Sync{FromProto(in.sync().table()), in.sync().answer()};
      break;
    case pb::SwimMessage::kJoinRequest:
      message.body = swim::JoinRequest{};
      break;
    case pb::SwimMessage::kJoinAnswer:
      message.body = swim::JoinAnswer{in.join_answer().refusal(), in.join_answer().final(),
                                      in.join_answer().generation(), FromProto(in.join_answer().table())};
      break;
    case pb::SwimMessage::BODY_NOT_SET:
      return absl::InvalidArgumentError("a message of the membership of a kind that is not known here");
  }
  return message;
}

}  // namespace troupe
