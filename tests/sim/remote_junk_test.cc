// What a peer sends that is no frame of ours, or no frame for us: each has its clear end, is counted, and harms nobody.
#include "tests/sim/remote_fixture.h"
#include "troupe/internal/v1/remote.pb.h"

namespace troupe::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Speaks the wire, and nothing above it.
class RawPeer final : public FrameReceiver {
 public:
  RawPeer(SimNetwork& network, const std::string& address) : transport(network.NewTransport(address)) {
    transport->Start(*this);
  }
  void OnFrame(const std::string&, Lane, std::string bytes) override {
    internal::v1::ActorFrame frame;
    if (frame.ParseFromString(bytes)) received.push_back(std::move(frame));
  }
  void OnLost(const std::string&, Lane, const FrameLoss&) override {}

  std::unique_ptr<Transport> transport;
  std::vector<internal::v1::ActorFrame> received;
};

class RemoteJunkTest : public RemoteFixture {
 protected:
  internal::v1::ActorRef Ref() {
    const NodeIdentity n2 = nodes_["n2"].cluster.self();
    internal::v1::ActorRef ref;
    ref.set_actor(polly_.id().value);
    ref.set_node_id(n2.node_id);
    ref.set_generation(n2.generation);
    return ref;
  }
  internal::v1::ActorFrame Frame() {
    internal::v1::ActorFrame frame;
    frame.set_cluster_id(std::string(32, 'c'));
    frame.set_from_id(std::string(32, 'e'));
    frame.set_from_generation(1);
    return frame;
  }
  internal::v1::ActorFrame AskToSay(uint64_t ask) {
    internal::v1::ActorFrame frame = Frame();
    internal::v1::Deliver& deliver = *frame.mutable_deliver();
    *deliver.mutable_to() = Ref();
    deliver.set_message("test.Say");
    deliver.set_payload(EncodeForWire(Say{"hello"}));
    deliver.set_ask(ask);
    deliver.set_timeout_micros(1'000'000);
    return frame;
  }
  void Send(const internal::v1::ActorFrame& frame) { SendBytes(Lane::kActors, frame.SerializeAsString()); }
  void SendBytes(Lane lane, std::string bytes) {
    ASSERT_TRUE(peer_.transport->Send("n2:7101", lane, std::move(bytes)).ok());
    nodes_.RunFor(absl::Milliseconds(10));
  }
  absl::StatusCode LastCode() { return static_cast<absl::StatusCode>(peer_.received.back().answer().code()); }
  void ExpectUnharmed() {
    EXPECT_EQ(*Ask(Say{"unharmed"}), "unharmed");
    EXPECT_EQ(nodes_.View("n2"), "n1 alive, n2 alive, n3 alive");
  }

  RawPeer peer_{nodes_.network(), "evil:7101"};
};

// That the frames below fail for what is wrong with them.
TEST_F(RemoteJunkTest, AWholeFrameIsAnswered) {
  Send(AskToSay(7));
  ASSERT_THAT(peer_.received, SizeIs(1));
  EXPECT_EQ(peer_.received[0].answer().ask(), 7u);
  EXPECT_EQ(LastCode(), absl::StatusCode::kOk);
  EXPECT_EQ(Junk("n2"), 0u);
}

TEST_F(RemoteJunkTest, BytesThatAreNoFrameAreCounted) {
  SendBytes(Lane::kActors, "\xff\xff\xff\xff");
  SendBytes(Lane::kControl, "\xff\xff\xff\xff");
  SendBytes(Lane::kBulk, "hello");
  SendBytes(Lane::kActors, "");
  EXPECT_EQ(Junk("n2"), 4u);
  EXPECT_THAT(peer_.received, IsEmpty());
  ExpectUnharmed();
}

TEST_F(RemoteJunkTest, AFrameOfAnotherClusterIsCountedAndNotHandled) {
  internal::v1::ActorFrame frame = AskToSay(7);
  frame.set_cluster_id(std::string(32, 'd'));
  Send(frame);
  frame = Frame();
  frame.set_cluster_id("");
  frame.mutable_registry_deltas();
  Send(frame);
  EXPECT_EQ(Junk("n2"), 2u);
  EXPECT_THAT(heard_, IsEmpty());
  ExpectUnharmed();
}

TEST_F(RemoteJunkTest, AMessageForAnotherRunIsUnavailable) {
  internal::v1::ActorFrame frame = AskToSay(7);
  frame.mutable_deliver()->mutable_to()->set_generation(99);
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kUnavailable);
  frame = AskToSay(8);
  frame.mutable_deliver()->mutable_to()->set_node_id(std::string(32, 'x'));
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(RemoteJunkTest, AMessageForNobodyIsUnavailableAndOneItsActorDoesNotTakeUnimplemented) {
  internal::v1::ActorFrame frame = AskToSay(7);
  frame.mutable_deliver()->mutable_to()->set_actor(999'999);
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kUnavailable);
  frame = AskToSay(8);
  const Address<Owl> owl = nodes_["n2"].system->Spawn<Owl>();
  frame.mutable_deliver()->mutable_to()->set_actor(owl.id().value);
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kOk);
  frame.mutable_deliver()->set_message("test.Note");
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(Junk("n2"), 1u);
}

TEST_F(RemoteJunkTest, TheActorsThatRunTheNodeTakeNoMessagesOfPeers) {
  internal::v1::ActorFrame frame = AskToSay(7);
  for (const ActorInfo& actor : nodes_["n2"].system->List()) {
    if (actor.name != "membership") continue;
    frame.mutable_deliver()->mutable_to()->set_actor(actor.id.value);
    Send(frame);
    EXPECT_EQ(LastCode(), absl::StatusCode::kUnimplemented);
  }
  EXPECT_THAT(peer_.received, SizeIs(1));
}

TEST_F(RemoteJunkTest, TheActorsThatRunTheNodeAreNotStoppedByPeers) {
  for (uint64_t actor = 1; actor <= polly_.id().value; ++actor) {
    internal::v1::ActorFrame frame = Frame();
    *frame.mutable_stop()->mutable_actor() = Ref();
    frame.mutable_stop()->mutable_actor()->set_actor(actor);
    Send(frame);
  }
  EXPECT_TRUE(nodes_["n2"].system->Lookup<Membership>("membership").ok());
  EXPECT_EQ(nodes_["n2"].system->Find(polly_.id()), nullptr) << "others are";
}

TEST_F(RemoteJunkTest, APayloadThatDoesNotParseIsInvalidAndCounted) {
  internal::v1::ActorFrame frame = AskToSay(7);
  frame.mutable_deliver()->set_payload("\xff\xff\xff");
  Send(frame);
  EXPECT_EQ(LastCode(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Junk("n2"), 1u);
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(RemoteJunkTest, ATimeoutOfAnyLengthIsBounded) {
  internal::v1::ActorFrame frame = AskToSay(7);
  frame.mutable_deliver()->set_timeout_micros(UINT64_MAX);
  frame.mutable_deliver()->set_message("test.Hold");
  Send(frame);
  nodes_.RunFor(absl::Hours(1));
  ASSERT_THAT(peer_.received, SizeIs(1));
  EXPECT_EQ(LastCode(), absl::StatusCode::kDeadlineExceeded);
  frame.mutable_deliver()->set_timeout_micros(0);
  Send(frame);
  EXPECT_THAT(heard_, ElementsAre("hello"));
}

TEST_F(RemoteJunkTest, AnAnswerFromANodeThatWasNotAskedAnswersNothing) {
  std::vector<std::string> answers;
  Polly().Ask(Hold{"a secret"}, absl::Minutes(1)).Then([&](absl::StatusOr<std::string> answer) {
    answers.push_back(*answer);
  });
  nodes_.RunFor(absl::Milliseconds(10));
  internal::v1::ActorFrame frame = Frame();
  frame.mutable_answer()->set_payload(EncodeForWire(std::string("a lie")));
  const uint64_t base = nodes_["n1"].cluster.self().generation << 44;
  for (uint64_t ask = 0; ask < 10; ++ask) {
    frame.mutable_answer()->set_ask(base + ask);
    ASSERT_TRUE(peer_.transport->Send("n1:7101", Lane::kActors, frame.SerializeAsString()).ok());
  }
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(answers, IsEmpty());
  polly_.Tell(LetGo{});
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(answers, ElementsAre("a secret"));
}

TEST_F(RemoteJunkTest, ANoticeFromANodeThatDoesNotHaveTheActorEndsNoWatch) {
  std::vector<std::string> notices;
  nodes_["n1"].system->Spawn<Watcher>(&notices).Tell(WatchIt{Polly()});
  nodes_.RunFor(absl::Milliseconds(10));
  internal::v1::ActorFrame frame = Frame();
  *frame.mutable_terminated()->mutable_actor() = Ref();
  ASSERT_TRUE(peer_.transport->Send("n1:7101", Lane::kActors, frame.SerializeAsString()).ok());
  nodes_.RunFor(absl::Seconds(1));
  EXPECT_THAT(notices, IsEmpty());
  polly_.Stop();
  nodes_.RunFor(absl::Seconds(1));
  EXPECT_THAT(notices, ElementsAre("stopped"));
}

TEST_F(RemoteJunkTest, AnAnswerThatDoesNotParseIsUnknownSinceTheQuestionWasHandled) {
  // A parrot on a node that speaks another dialect: the raw peer takes the name of a run of its own.
  const swim::Node dialect{"n9", std::string(32, 'e'), 1, "evil:7101"};
  const Address<Parrot> far(nodes_["n1"].cluster.actors().CellOf(dialect, 5, "dialect"));
  absl::Status status;
  far.Ask(Say{"hello"}).Then([&](absl::StatusOr<std::string> answer) { status = answer.status(); });
  nodes_.RunFor(absl::Milliseconds(10));
  ASSERT_THAT(peer_.received, SizeIs(1));
  internal::v1::ActorFrame frame = Frame();
  frame.mutable_answer()->set_ask(peer_.received[0].deliver().ask());
  frame.mutable_answer()->set_payload("\xff\xff");
  ASSERT_TRUE(peer_.transport->Send("n1:7101", Lane::kActors, frame.SerializeAsString()).ok());
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
}

TEST_F(RemoteJunkTest, ACodeThatThisReleaseDoesNotKnowIsAnError) {
  const swim::Node dialect{"n9", std::string(32, 'e'), 1, "evil:7101"};
  const Address<Parrot> far(nodes_["n1"].cluster.actors().CellOf(dialect, 5, "dialect"));
  for (int32_t code : {-1, 17, 1'000'000}) {
    std::optional<absl::StatusOr<std::string>> outcome;
    far.Ask(Say{"hello"}).Then([&](absl::StatusOr<std::string> answer) { outcome = answer; });
    nodes_.RunFor(absl::Milliseconds(10));
    internal::v1::ActorFrame frame = Frame();
    frame.mutable_answer()->set_ask(peer_.received.back().deliver().ask());
    frame.mutable_answer()->set_code(code);
    ASSERT_TRUE(peer_.transport->Send("n1:7101", Lane::kActors, frame.SerializeAsString()).ok());
    nodes_.RunFor(absl::Milliseconds(10));
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->status().code(), absl::StatusCode::kUnknown) << code;
  }
}

TEST_F(RemoteJunkTest, MoreWatchesThanFitAreRefusedAndToldSo) {
  RemoteActors& actors = nodes_["n2"].cluster.actors();
  internal::v1::ActorFrame frame = Frame();
  *frame.mutable_watch()->mutable_actor() = Ref();
  for (int i = 0; i < 65'536; ++i) actors.OnFrame(absl::StrCat("crowd", i, ":1"), frame);
  const Address<Parrot> polly = Polly();
  std::vector<std::string> notices;
  nodes_["n1"].system->Spawn<Watcher>(&notices).Tell(WatchIt{polly});
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(notices, ElementsAre(HasSubstr("too many")));
  // It lives, and can be asked.
  EXPECT_EQ(*nodes_.Outcome(polly.Ask(Say{"hello"})), "hello");
}

// Frames with a few bytes changed, cut off, or doubled: whatever they are now, nodes live and answer.
TEST_F(RemoteJunkTest, BrokenFramesHarmNobody) {
  Random chance = nodes_.simulator().StreamFor("junk");
  std::vector<std::string> whole;
  internal::v1::ActorFrame frame = AskToSay(7);
  // Another's actor: a changed byte may make a whole frame that stops it.
  frame.mutable_deliver()->mutable_to()->set_actor(Place("n2", "victim").id().value);
  const internal::v1::ActorRef victim = frame.deliver().to();
  whole.push_back(frame.SerializeAsString());
  *frame.mutable_watch()->mutable_actor() = victim;
  whole.push_back(frame.SerializeAsString());
  frame.mutable_registry_digest()->add_owners()->mutable_owner()->set_node("n1");
  whole.push_back(frame.SerializeAsString());
  frame.mutable_registry_deltas()->add_deltas()->add_entries()->set_name("polly");
  whole.push_back(frame.SerializeAsString());
  frame.mutable_answer()->set_ask(1);
  whole.push_back(frame.SerializeAsString());
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole[chance.Below(whole.size())];
    for (uint64_t change = 0; change < 1 + chance.Below(3); ++change) {
      // Not within the cluster's id, or nothing but that would be tried.
      bytes[34 + chance.Below(bytes.size() - 34)] = static_cast<char>(chance.Below(256));
    }
    if (chance.PerMille(300)) bytes.resize(chance.Below(bytes.size()));
    ASSERT_TRUE(peer_.transport->Send("n2:7101", Lane::kActors, bytes).ok());
    if (chance.PerMille(300)) {
      ASSERT_TRUE(peer_.transport->Send("n2:7101", Lane::kControl, bytes).ok());
    }
    if (i % 100 == 0) nodes_.RunFor(absl::Milliseconds(10));
  }
  nodes_.RunFor(absl::Seconds(10));
  EXPECT_GT(Junk("n2"), 1000u);
  ExpectUnharmed();
}

}  // namespace
}  // namespace troupe::sim
