// An actor on another node is used as one here: told, asked, stopped, with the same errors. And what junk does.
#include "tests/sim/remote_fixture.h"

namespace troupe::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using RemoteActorsTest = RemoteFixture;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST_F(RemoteActorsTest, ATellArrives) {
  EXPECT_TRUE(Polly().Tell(Note{"hello"}));
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_THAT(heard_, ElementsAre("hello"));
}

TEST_F(RemoteActorsTest, AnAskIsAnswered) { EXPECT_EQ(*Ask(Say{"hello"}), "hello"); }

TEST_F(RemoteActorsTest, AnAskWithoutAResultIsAnsweredWhenItIsHandled) {
  EXPECT_TRUE(Ask(Note{"hello"}).ok());
  EXPECT_THAT(heard_, ElementsAre("hello"));
}

TEST_F(RemoteActorsTest, TheLabelNamesActorAndNode) {
  EXPECT_EQ(Polly().label(), "polly on n2");
  EXPECT_EQ(polly_.label(), "polly");
}

TEST_F(RemoteActorsTest, TellsOfOneSenderKeepTheirOrder) {
  std::vector<std::string> sent;
  for (int i = 0; i < 100; ++i) {
    sent.push_back(std::to_string(i));
    EXPECT_TRUE(Polly().Tell(Note{sent.back()}));
  }
  nodes_.RunFor(absl::Milliseconds(100));
  EXPECT_EQ(heard_, sent);
}

TEST_F(RemoteActorsTest, ManyAsksAtOnceGetEachItsOwnAnswerInWhateverOrderTheyCome) {
  std::vector<std::string> answers;
  std::vector<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    const std::string text = std::to_string(i);
    Polly().Ask(Hold{text}).Then([&answers, text](absl::StatusOr<std::string> answer) {
      EXPECT_EQ(*answer, text);
      answers.push_back(*answer);
    });
    expected.insert(expected.begin(), text);
  }
  Polly().Tell(LetGo{});
  EXPECT_TRUE(nodes_.Await([&] { return answers.size() == 500; }));
  EXPECT_EQ(answers, expected);
}

// Errors.

TEST_F(RemoteActorsTest, AnErrorArrivesWithItsCodeMessageAndPayload) {
  const absl::Status status = Ask(Refuse{"not now"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "not now");
  EXPECT_EQ(status.GetPayload("type.example/detail"), absl::Cord(std::string("more\0\xff", 6)));
}

TEST_F(RemoteActorsTest, AnErrorWhoseMessageIsNoTextArrivesAllTheSame) {
  const absl::Status status = Ask(Refuse{"bad byte \xff."}, absl::Minutes(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(MessageOf(status), HasSubstr("bad byte"));
}

TEST_F(RemoteActorsTest, AnErrorLargerThanAFrameArrivesShortened) {
  const absl::Status status = Ask(Lament{absl::StrCat(2 * kMaxFrameBytes)}, absl::Minutes(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(MessageOf(status), HasSubstr("eee"));
}

TEST_F(RemoteActorsTest, AHandlersFailureIsTheAskersErrorAsItIsHere) {
  const absl::Status near = nodes_.Outcome(polly_.Ask(Crash{"feather lost"})).status();
  const absl::Status far = Ask(Crash{"feather lost"}).status();
  EXPECT_EQ(far, near);
  EXPECT_THAT(MessageOf(far), HasSubstr("feather lost"));
  EXPECT_EQ(*Ask(Say{"still here"}), "still here");
}

// A mailbox waits while its actor is between two incarnations.
SpawnOptions SlowToRestart(size_t mailbox_capacity) {
  SpawnOptions options;
  options.mailbox_capacity = mailbox_capacity;
  options.restart_backoff.initial = absl::Seconds(1);
  return options;
}

TEST_F(RemoteActorsTest, AFullMailboxGivesTheErrorItGivesHere) {
  const Address<Parrot> near = Place("n2", "tiny", SlowToRestart(1));
  const Address<Parrot> far = *Find("n1", "tiny");
  EXPECT_FALSE(nodes_.Outcome(far.Ask(Crash{"a break"})).ok());
  EXPECT_TRUE(far.Tell(Note{"the one that waits"}));
  const absl::Status there = nodes_.Outcome(far.Ask(Say{"hello"})).status();
  EXPECT_EQ(there.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(there, nodes_.Outcome(near.Ask(Say{"hello"})).status());
}

TEST_F(RemoteActorsTest, ATerminatedActorIsUnavailableAsItIsHere) {
  const Address<Parrot> far = Polly();
  polly_.Stop();
  nodes_.RunFor(absl::Milliseconds(10));
  const absl::Status near_answer = nodes_.Outcome(polly_.Ask(Say{"hello"})).status();
  const absl::Status far_answer = nodes_.Outcome(far.Ask(Say{"hello"})).status();
  EXPECT_EQ(far_answer.code(), near_answer.code());
  EXPECT_EQ(far_answer.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(far_answer), HasSubstr("has terminated"));
}

TEST_F(RemoteActorsTest, StopStopsIt) {
  Polly().Stop();
  nodes_.RunFor(absl::Milliseconds(10));
  EXPECT_FALSE(polly_.alive());
}

TEST_F(RemoteActorsTest, AMessageWithoutWireFormIsRefusedAtOnce) {
  absl::Status status;
  Polly().Ask(Secret{}).Then([&](absl::StatusOr<std::string> answer) { status = answer.status(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(MessageOf(status), HasSubstr("Secret"));
  EXPECT_FALSE(Polly().Tell(Secret{}));
}

TEST_F(RemoteActorsTest, AMessageTheOtherNodeDoesNotKnowIsUnimplementedAndCounted) {
  const absl::Status status = Ask(Newfangled{"hello"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(MessageOf(status), HasSubstr("test.Newfangled"));
  EXPECT_EQ(Junk("n2"), 1u);
}

TEST_F(RemoteActorsTest, AMessageThatItsDecoderRefusesEndsInThatErrorAndIsCounted) {
  const absl::Status status = Ask(Picky{"junk"}).status();
  EXPECT_EQ(status, absl::InvalidArgumentError("a parrot does not eat junk"));
  EXPECT_EQ(Junk("n2"), 1u);
  EXPECT_EQ(*Ask(Picky{"seeds"}), "seeds");
}

// Deadlines.

TEST_F(RemoteActorsTest, TheDeadlineEndsAnAskThatIsNeverAnswered) {
  const Instant asked = nodes_.simulator().Now();
  EXPECT_EQ(Ask(Hold{"for ever"}, absl::Seconds(2)).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(nodes_.simulator().Now() - asked, absl::Seconds(2));
}

TEST_F(RemoteActorsTest, AnAskWhoseDeadlineIsOverIsNotSent) {
  EXPECT_EQ(Ask(Say{"late"}, absl::ZeroDuration()).status().code(), absl::StatusCode::kDeadlineExceeded);
  nodes_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(heard_.empty());
}

TEST_F(RemoteActorsTest, WhatComesOutOfACutTooLateIsNotHandled) {
  ASSERT_TRUE(Ask(Say{"before"}).ok());
  heard_.clear();
  nodes_.Isolate("n2");
  EXPECT_EQ(Ask(Say{"late"}, absl::Seconds(1)).status().code(), absl::StatusCode::kDeadlineExceeded);
  nodes_.Heal();
  nodes_.RunFor(absl::Seconds(5));
  // It had left when the link stalled; the other end counts the time from its arrival, so it may handle it, once.
  EXPECT_LE(heard_.size(), 1u);
}

TEST_F(RemoteActorsTest, AMessageThatWaitsPastItsDeadlineOnTheOtherNodeIsNotHandled) {
  Place("n2", "slow", SlowToRestart(10));
  const Address<Parrot> slow = *Find("n1", "slow");
  EXPECT_FALSE(nodes_.Outcome(slow.Ask(Crash{"a break"})).ok());
  EXPECT_EQ(nodes_.Outcome(slow.Ask(Say{"late"}, absl::Milliseconds(100))).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(*nodes_.Outcome(slow.Ask(Say{"in time"})), "in time");
  EXPECT_THAT(heard_, ElementsAre("in time"));
}

// Sizes.

TEST_F(RemoteActorsTest, AMessageAboveTheCapIsRefusedAndOtherTrafficGoesOn) {
  EXPECT_EQ(Ask(Say{std::string(kMaxFrameBytes, 'x')}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(Polly().Tell(Note{std::string(kMaxFrameBytes, 'x')}));
  EXPECT_EQ(*Ask(Say{"small"}), "small");
}

TEST_F(RemoteActorsTest, AnAnswerAboveTheCapIsAnErrorAtOnceAndOtherTrafficGoesOn) {
  const Instant asked = nodes_.simulator().Now();
  const absl::Status status = Ask(Inflate{std::to_string(kMaxFrameBytes)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(status), HasSubstr("more than a frame"));
  EXPECT_LT(nodes_.simulator().Now() - asked, absl::Seconds(1));
  EXPECT_EQ(Ask(Inflate{std::to_string(kMaxFrameBytes - 2000)})->size(), kMaxFrameBytes - 2000);
}

// Connections.

TEST_F(RemoteActorsTest, ABrokenConnectionEndsWhatWasSentInUnknownAndTheNextAskMakesANewOne) {
  absl::Status status;
  Polly().Ask(Hold{"a secret"}).Then([&](absl::StatusOr<std::string> answer) { status = answer.status(); });
  EXPECT_TRUE(nodes_.Await([&] { return !heard_.empty(); }));
  nodes_.BreakConnections("n1", "n2");
  EXPECT_TRUE(nodes_.Await([&] { return !status.ok(); }, absl::Seconds(1)));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(MessageOf(status), HasSubstr("polly on n2"));
  EXPECT_EQ(*Ask(Say{"again"}), "again");
}

TEST_F(RemoteActorsTest, AKilledNodeIsUnavailableBeforeAndAfterItsDeathIsKnown) {
  const Address<Parrot> polly = Polly();
  nodes_.Kill("n2");
  EXPECT_EQ(nodes_.Outcome(polly.Ask(Say{"hello"})).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(nodes_.AwaitView("n1", "n1 alive, n2 dead, n3 alive"));
  const absl::Status status = nodes_.Outcome(polly.Ask(Say{"hello"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("node n2 is dead"));
}

TEST_F(RemoteActorsTest, AnAddressOfANodesEarlierRunIsUnavailable) {
  const Address<Parrot> polly = Polly();
  nodes_.Kill("n2");
  nodes_.Start("n2");
  // Also before the restart is known, when the new run itself must refuse it.
  const absl::Status at_once = nodes_.Outcome(polly.Ask(Say{"hello"})).status();
  EXPECT_EQ(at_once.code(), absl::StatusCode::kUnavailable);
  nodes_.RunFor(absl::Seconds(5));
  const absl::Status later = nodes_.Outcome(polly.Ask(Say{"hello"})).status();
  EXPECT_EQ(later.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(polly.alive());
  EXPECT_TRUE(heard_.empty());
}

TEST_F(RemoteActorsTest, AnAnswerToAnEarlierRunsQuestionAnswersNoneOfThisRun) {
  (void)Polly().Ask(Hold{"of the first run"}, absl::Minutes(1));
  EXPECT_TRUE(nodes_.Await([&] { return heard_.size() == 1; }));
  nodes_.Kill("n1");
  nodes_.Found("n1");
  ASSERT_TRUE(nodes_.Await([&] { return Find("n1", "polly").ok(); }));
  std::vector<std::string> answers;
  Polly().Ask(Hold{"of the second run"}, absl::Minutes(1)).Then([&](absl::StatusOr<std::string> answer) {
    answers.push_back(answer.value_or(MessageOf(answer.status())));
  });
  EXPECT_TRUE(nodes_.Await([&] { return heard_.size() == 2; }));
  polly_.Tell(LetGo{"of the first run"});
  nodes_.RunFor(absl::Seconds(1));
  EXPECT_THAT(answers, IsEmpty());
  polly_.Tell(LetGo{"of the second run"});
  nodes_.RunFor(absl::Seconds(1));
  EXPECT_THAT(answers, ElementsAre("of the second run"));
}

TEST_F(RemoteActorsTest, ANodeThatStopsEndsItsAsksAndOwesNoAnswers) {
  absl::Status asked_by_n1;
  Polly().Ask(Hold{"1"}).Then([&](absl::StatusOr<std::string> answer) { asked_by_n1 = answer.status(); });
  EXPECT_TRUE(nodes_.Await([&] { return !heard_.empty(); }));
  // The one that owes an answer, then the one that waits for one.
  nodes_.Kill("n2");
  EXPECT_TRUE(nodes_.Await([&] { return !asked_by_n1.ok(); }, absl::Seconds(1)));
  EXPECT_EQ(asked_by_n1.code(), absl::StatusCode::kUnknown);
  Place("n3", "coco");
  const Address<Parrot> coco = *Find("n1", "coco");
  absl::Status at_the_end;
  coco.Ask(Hold{"2"}).Then([&](absl::StatusOr<std::string> answer) { at_the_end = answer.status(); });
  nodes_.RunFor(absl::Milliseconds(10));
  nodes_.Kill("n1");
  EXPECT_EQ(at_the_end.code(), absl::StatusCode::kUnknown);
}

// Names and types.

TEST_F(RemoteActorsTest, ALookupOfAnotherTypeFailsHereAndThere) {
  EXPECT_EQ(nodes_["n1"].cluster.Lookup<Owl>("polly").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(nodes_["n2"].cluster.Lookup<Owl>("polly").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(nodes_["n1"].cluster.Lookup<Parrot>("nobody").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace troupe::sim
