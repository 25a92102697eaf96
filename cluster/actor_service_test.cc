#include "cluster/actor_service.h"

#include <optional>

#include "actor/deterministic_executor.h"
#include "cluster/lone_node.h"
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
    ActorService::Expose(cluster_);
    cluster_.Start();
    EXPECT_TRUE(service_.Start().ok());
    for (int i = 0; i < 5; ++i) {
      Address<Idler> idler = system_.Spawn<Idler>();
      if (i % 2 == 1) continue;
      EXPECT_TRUE(system_.Register("even/" + std::to_string(i), idler).ok());
    }
    simulator_.RunFor(absl::Seconds(1));
  }

  absl::StatusOr<actor::v1::ListActorsResponse> List(const actor::v1::ListActorsRequest& request) {
    std::optional<absl::StatusOr<actor::v1::ListActorsResponse>> answer;
    service_.ListActors(request, absl::Seconds(5), [&](auto response) { answer = std::move(response); });
    simulator_.RunUntil([&] { return answer.has_value(); }, absl::Seconds(10));
    return *std::move(answer);
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
  NoMemory memory_;
  Cluster cluster_{LoneNode(), system_, transport_, memory_};
  ActorService service_{cluster_};
};

TEST_F(ActorServiceTest, ListsAllWithTheirNode) {
  auto response = List({});
  ASSERT_TRUE(response.ok());
  EXPECT_THAT(Names(*response), ElementsAre("membership", "node/n1", "even/0", "", "even/2", "", "even/4"));
  EXPECT_EQ(response->actors(0).node(), "n1");
  EXPECT_EQ(response->actors(0).state(), actor::v1::ACTOR_STATE_RUNNING);
  EXPECT_EQ(response->next_page_token(), "");
}

TEST_F(ActorServiceTest, APrefixLeavesOthersOut) {
  actor::v1::ListActorsRequest request;
  request.set_name_prefix("even/");
  EXPECT_THAT(Names(*List(request)), ElementsAre("even/0", "even/2", "even/4"));
}

TEST_F(ActorServiceTest, PagesMeetWithoutGapOrRepeat) {
  actor::v1::ListActorsRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  int pages = 0;
  do {
    auto response = List(request);
    ASSERT_TRUE(response.ok());
    for (const std::string& name : Names(*response)) names.push_back(name);
    request.set_page_token(response->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 4);
  EXPECT_THAT(names, ElementsAre("membership", "node/n1", "even/0", "", "even/2", "", "even/4"));
}

TEST_F(ActorServiceTest, AForeignTokenIsRefused) {
  actor::v1::ListActorsRequest request;
  request.set_page_token("yesterday");
  EXPECT_TRUE(absl::IsInvalidArgument(List(request).status()));
}

TEST_F(ActorServiceTest, LookupFindsByNameAndType) {
  EXPECT_TRUE(cluster_.Lookup<Idler>("even/2").ok());
  EXPECT_TRUE(absl::IsNotFound(cluster_.Lookup<Idler>("odd/1").status()));
}

}  // namespace
}  // namespace troupe
