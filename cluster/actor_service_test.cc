#include "cluster/actor_service.h"

#include "actor/deterministic_executor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;

struct Ping {};
class Idler : public Actor<Idler> {
 public:
  void Handle(Ping, Context&) {}
};

class ActorServiceTest : public ::testing::Test {
 protected:
  ActorServiceTest() {
    for (int i = 0; i < 5; ++i) {
      Address<Idler> idler = system_.Spawn<Idler>();
      if (i % 2 == 1) continue;
      EXPECT_TRUE(system_.Register("even/" + std::to_string(i), idler).ok());
    }
    simulator_.RunFor(absl::Seconds(1));
  }

  std::vector<std::string> Names(const actor::v1::ListActorsResponse& response) {
    std::vector<std::string> names;
    for (const actor::v1::ActorInfo& actor : response.actors()) names.push_back(actor.name());
    return names;
  }

  Simulator simulator_{1};
  DeterministicExecutor executor_{simulator_, 1};
  ActorSystem system_{executor_};
  NoPeers transport_;
  Cluster cluster_{NodeIdentity{.name = "n1"}, system_, transport_};
  ActorService service_{cluster_};
};

TEST_F(ActorServiceTest, ListsAllWithTheirNode) {
  auto response = service_.ListActors({});
  ASSERT_TRUE(response.ok());
  EXPECT_THAT(Names(*response), ElementsAre("even/0", "", "even/2", "", "even/4"));
  EXPECT_EQ(response->actors(0).node(), "n1");
  EXPECT_EQ(response->actors(0).state(), actor::v1::ACTOR_STATE_RUNNING);
  EXPECT_EQ(response->next_page_token(), "");
}

TEST_F(ActorServiceTest, APrefixLeavesOthersOut) {
  actor::v1::ListActorsRequest request;
  request.set_name_prefix("even/");
  EXPECT_THAT(Names(*service_.ListActors(request)), ElementsAre("even/0", "even/2", "even/4"));
}

TEST_F(ActorServiceTest, PagesMeetWithoutGapOrRepeat) {
  actor::v1::ListActorsRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  int pages = 0;
  do {
    auto response = service_.ListActors(request);
    ASSERT_TRUE(response.ok());
    for (const std::string& name : Names(*response)) names.push_back(name);
    request.set_page_token(response->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(names, ElementsAre("even/0", "", "even/2", "", "even/4"));
}

TEST_F(ActorServiceTest, AForeignTokenIsRefused) {
  actor::v1::ListActorsRequest request;
  request.set_page_token("yesterday");
  EXPECT_TRUE(absl::IsInvalidArgument(service_.ListActors(request).status()));
}

TEST_F(ActorServiceTest, LookupFindsByNameAndType) {
  EXPECT_TRUE(cluster_.Lookup<Idler>("even/2").ok());
  EXPECT_TRUE(absl::IsNotFound(cluster_.Lookup<Idler>("odd/1").status()));
}

}  // namespace
}  // namespace troupe
