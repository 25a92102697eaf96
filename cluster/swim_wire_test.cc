#include "cluster/swim_wire.h"

#include "actor/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "troupe/internal/v1/membership.pb.h"

namespace troupe {
namespace {

using ::testing::HasSubstr;

const swim::Node kNode{"n1", std::string(32, '1'), 7, "n1:7101"};
const swim::Node kOther{"n2", std::string(32, '2'), 9, "n2:7101"};
const std::vector<swim::Update> kFacts = {{kNode, 1, swim::State::kAlive, ""},
                                          {kOther, 2, swim::State::kSuspect, "n1"},
                                          {kOther, 3, swim::State::kDead, "n1"},
                                          {kOther, 4, swim::State::kLeft, ""}};

std::vector<swim::Message> OneOfEachKind() {
  std::vector<swim::Message> messages;
  auto add = [&messages](decltype(swim::Message::body) body) {
    messages.push_back({std::string(32, 'c'), kNode, 5, std::move(body), kFacts});
  };
  add(swim::Ping{11, "n2"});
  add(swim::PingRequest{12, kOther});
  add(swim::Ack{13});
  add(swim::Nack{14});
  add(swim::Gossip{});
  add(swim::Sync{kFacts, false});
  add(swim::Sync{{}, true});
  add(swim::JoinRequest{});
  add(swim::JoinAnswer{"", true, 17, kFacts});
  add(swim::JoinAnswer{"the name is held", false, 0, {}});
  return messages;
}

// What the body says, for comparing.
struct Describe {
  std::string operator()(const swim::Ping& ping) const { return "ping " + std::to_string(ping.seq) + ping.target; }
  std::string operator()(const swim::PingRequest& request) const {
    return "request " + std::to_string(request.seq) + (request.target == kOther ? "n2" : "?");
  }
  std::string operator()(const swim::Ack& ack) const { return "ack " + std::to_string(ack.seq); }
  std::string operator()(const swim::Nack& nack) const { return "nack " + std::to_string(nack.seq); }
  std::string operator()(const swim::Gossip&) const { return "gossip"; }
  std::string operator()(const swim::Sync& sync) const {
    return "sync " + std::to_string(sync.answer) +
           (sync.table == kFacts ? " facts" : std::to_string(sync.table.size()));
  }
  std::string operator()(const swim::JoinRequest&) const { return "join"; }
  std::string operator()(const swim::JoinAnswer& answer) const {
    return "answer " + answer.refusal + std::to_string(answer.final) + std::to_string(answer.generation) +
           (answer.table == kFacts ? " facts" : std::to_string(answer.table.size()));
  }
};

TEST(SwimWireTest, EveryKindComesBackAsItWas) {
  for (const swim::Message& message : OneOfEachKind()) {
    const absl::StatusOr<swim::Message> read = DecodeSwimMessage(EncodeSwimMessage(message));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->cluster_id, message.cluster_id);
    EXPECT_EQ(read->from, message.from);
    EXPECT_EQ(read->incarnation, message.incarnation);
    EXPECT_EQ(read->gossip, message.gossip);
    EXPECT_EQ(std::visit(Describe(), read->body), std::visit(Describe(), message.body));
  }
}

TEST(SwimWireTest, AMessageWithoutABodyIsRefused) {
  EXPECT_EQ(DecodeSwimMessage("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(DecodeSwimMessage("\xff").status().message()), HasSubstr("not a message"));
}

TEST(SwimWireTest, AFactInAStateOfALaterReleaseIsLeftOutAndTheOthersTaken) {
  internal::v1::SwimMessage message;
  message.mutable_ping()->set_seq(1);
  for (int state : {0, 1, 5, 99, -1}) {
    message.add_gossip()->set_state(static_cast<internal::v1::PeerState>(state));
  }
  const absl::StatusOr<swim::Message> read = DecodeSwimMessage(message.SerializeAsString());
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->gossip.size(), 1u);
  EXPECT_EQ(read->gossip[0].state, swim::State::kAlive);
}

TEST(SwimWireTest, WhateverTheBytesAreTheyAreReadOrRefused) {
  std::vector<std::string> whole;
  for (const swim::Message& message : OneOfEachKind()) whole.push_back(EncodeSwimMessage(message));
  size_t read = 0;
  size_t refused = 0;
  auto decode = [&](const std::string& bytes) {
    absl::StatusOr<swim::Message> message = DecodeSwimMessage(bytes);
    if (!message.ok()) {
      ++refused;
      return;
    }
    ++read;
    // What was read can be written, and read again.
    EXPECT_TRUE(DecodeSwimMessage(EncodeSwimMessage(*message)).ok());
  };
  for (const std::string& bytes : whole) {
    for (size_t length = 0; length <= bytes.size(); ++length) decode(bytes.substr(0, length));
  }
  Random chance(1);
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes = whole[chance.Below(whole.size())];
    for (uint64_t change = 0; change <= chance.Below(4); ++change) {
      bytes[chance.Below(bytes.size())] = static_cast<char>(chance.Below(256));
    }
    decode(bytes);
  }
  EXPECT_GT(read, 1000u);
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace troupe
