// Groups, on a deterministic executor; last, random changes against a set of pairs.
#include "actor/groups.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "actor/test_actors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Notebook;
using testing::StopYourself;
using testing::TestSystem;

using NotebookGroups = Groups<Notebook>;

// Writes down how many members each notice names.
class Reader : public Actor<Reader> {
 public:
  explicit Reader(std::vector<std::string>* log) : log_(log) {}
  void Handle(GroupMembers<Notebook> group, Context&) {
    log_->push_back(absl::StrCat(group.key, " ", group.members.size()));
  }
  void Handle(StopYourself, Context& context) { context.Stop(); }

 private:
  std::vector<std::string>* log_;
};

class GroupsTest : public ::testing::Test {
 protected:
  template <typename M>
  Outcome<ResultOf<M>> Ask(M message) {
    return test_.Await(groups_.Ask(std::move(message)));
  }
  std::vector<Address<Notebook>> Members(std::string key) { return *Ask(NotebookGroups::GetMembers{std::move(key)}); }

  TestSystem test_;
  Address<NotebookGroups> groups_ = test_.system.Spawn<NotebookGroups>();
  Address<Notebook> red_ = test_.system.Spawn<Notebook>();
  Address<Notebook> blue_ = test_.system.Spawn<Notebook>();
  std::vector<std::string> log_;
  Address<Reader> reader_ = test_.system.Spawn<Reader>(&log_);
};

TEST_F(GroupsTest, ManyAddressesStandUnderOneKeyEachOnce) {
  EXPECT_THAT(Members("novels"), IsEmpty());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", blue_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", red_}).ok());
  EXPECT_THAT(Members("novels"), ElementsAre(red_, blue_)) << "ascending by id";
  EXPECT_THAT(Members("poems"), ElementsAre(red_));
  EXPECT_THAT(*Ask(NotebookGroups::GetKeys{}), ElementsAre("novels", "poems"));
}

TEST_F(GroupsTest, LeavingIsForOneGroupOnly) {
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", red_}).ok());
  EXPECT_TRUE(Ask(NotebookGroups::Leave{"novels", red_}).ok());
  EXPECT_TRUE(absl::IsNotFound(Ask(NotebookGroups::Leave{"novels", red_})));
  EXPECT_THAT(Members("novels"), IsEmpty());
  EXPECT_THAT(Members("poems"), ElementsAre(red_));
}

TEST_F(GroupsTest, WhoTerminatesIsRemovedEverywhere) {
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", blue_}).ok());
  red_.Tell(StopYourself{});
  test_.Settle();
  EXPECT_THAT(Members("novels"), IsEmpty());
  EXPECT_THAT(Members("poems"), ElementsAre(blue_));
  EXPECT_THAT(*Ask(NotebookGroups::GetKeys{}), ElementsAre("poems"));
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  test_.Settle();
  EXPECT_THAT(Members("novels"), IsEmpty()) << "who joins after its end does not stay";
}

TEST_F(GroupsTest, AFollowerIsToldTheMembersNowAndAfterEachChange) {
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Follow("novels", reader_)).ok());
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("novels 1"));
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", blue_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", blue_}).ok());  // no change
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", blue_}).ok());   // not followed
  blue_.Tell(StopYourself{});
  test_.Settle();
  ASSERT_TRUE(Ask(NotebookGroups::Leave{"novels", red_}).ok());
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("novels 1", "novels 2", "novels 1", "novels 0"));
}

TEST_F(GroupsTest, AFollowerWhoseMailboxIsFullIsToldTheLastChangeToo) {
  std::vector<std::string> log;
  Address<Reader> busy = test_.system.Spawn<Reader>(SpawnOptions{.mailbox_capacity = 1}, &log);
  test_.Settle();
  test_.Pause(busy);
  ASSERT_TRUE(Ask(NotebookGroups::Follow("novels", busy)).ok());
  ASSERT_TRUE(busy.Tell(StopYourself{}));
  ASSERT_FALSE(busy.Tell(StopYourself{})) << "full";
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  test_.Settle();
  test_.Resume(busy);
  test_.Settle();
  EXPECT_THAT(log, ElementsAre("novels 0", "novels 1"));
}

TEST_F(GroupsTest, UnfollowTakesTheRecipientThatFollowTook) {
  const Recipient<GroupMembers<Notebook>> follower = reader_;
  ASSERT_TRUE(Ask(NotebookGroups::Follow("novels", follower)).ok());
  EXPECT_TRUE(Ask(NotebookGroups::Unfollow("novels", follower)).ok());
  EXPECT_EQ(Ask(NotebookGroups::GetStats{})->actors, 0u);
}

TEST_F(GroupsTest, WhoUnfollowsOrTerminatesIsToldNoMore) {
  ASSERT_TRUE(Ask(NotebookGroups::Follow("novels", reader_)).ok());
  EXPECT_TRUE(Ask(NotebookGroups::Unfollow("novels", reader_)).ok());
  EXPECT_TRUE(absl::IsNotFound(Ask(NotebookGroups::Unfollow("novels", reader_))));
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Follow("poems", reader_)).ok());
  reader_.Tell(StopYourself{});
  test_.Settle();
  ASSERT_TRUE(Ask(NotebookGroups::Join{"poems", red_}).ok());
  test_.Settle();
  EXPECT_THAT(log_, ElementsAre("novels 0", "poems 0"));
  EXPECT_EQ(test_.system.stats().dead_letters, 0u);
}

TEST_F(GroupsTest, NothingIsKeptOfWhoLeavesOrOfAGroupWithoutAnybody) {
  ASSERT_TRUE(Ask(NotebookGroups::Join{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Follow("poems", reader_)).ok());
  GroupsStats stats = *Ask(NotebookGroups::GetStats{});
  EXPECT_EQ(stats.groups, 2u);
  EXPECT_EQ(stats.actors, 2u);
  ASSERT_TRUE(Ask(NotebookGroups::Leave{"novels", red_}).ok());
  ASSERT_TRUE(Ask(NotebookGroups::Unfollow("poems", reader_)).ok());
  stats = *Ask(NotebookGroups::GetStats{});
  EXPECT_EQ(stats.groups, 0u);
  EXPECT_EQ(stats.actors, 0u);
  auto handled = [this] { return test_.system.Find(groups_.id())->Info().handled; };
  const uint64_t before = handled();
  red_.Tell(StopYourself{});
  test_.Settle();
  EXPECT_EQ(handled(), before) << "no notice of its end";
}

TEST_F(GroupsTest, AKeyHasALimit) {
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(NotebookGroups::Join{"", red_})));
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(NotebookGroups::Join{std::string(256, 'k'), red_})));
  EXPECT_TRUE(Ask(NotebookGroups::Join{std::string(255, 'k'), red_}).ok());
}

TEST(GroupsPropertyTest, AgreesWithASetOfPairs) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    TestSystem test(seed);
    Random random(seed);
    auto groups = test.system.Spawn<NotebookGroups>();
    std::vector<Address<Notebook>> notebooks;
    for (int i = 0; i < 6; ++i) notebooks.push_back(test.system.Spawn<Notebook>());
    std::set<std::pair<std::string, uint64_t>> model;
    for (int step = 0; step < 100; ++step) {
      const std::string key = absl::StrCat("group", random.Below(3));
      Address<Notebook>& notebook = notebooks[random.Below(notebooks.size())];
      const std::pair<std::string, uint64_t> pair(key, notebook.id().value);
      switch (random.Below(8)) {
        case 0:
          notebook.Tell(StopYourself{});
          test.Settle();
          std::erase_if(model, [&](const auto& other) { return other.second == notebook.id().value; });
          notebook = test.system.Spawn<Notebook>();
          break;
        case 1:
        case 2:
        case 3:
          ASSERT_EQ(test.Await(groups.Ask(NotebookGroups::Leave{key, notebook})).ok(), model.erase(pair) == 1);
          break;
        default:
          ASSERT_TRUE(test.Await(groups.Ask(NotebookGroups::Join{key, notebook})).ok());
          model.insert(pair);
      }
      std::set<std::pair<std::string, uint64_t>> seen;
      const std::vector<std::string> keys = *test.Await(groups.Ask(NotebookGroups::GetKeys{}));
      for (const std::string& name : keys) {
        const std::vector<Address<Notebook>> members = *test.Await(groups.Ask(NotebookGroups::GetMembers{name}));
        for (const Address<Notebook>& member : members) seen.emplace(name, member.id().value);
      }
      ASSERT_EQ(seen, model) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace troupe
