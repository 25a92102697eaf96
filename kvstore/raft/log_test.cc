#include "kvstore/raft/log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kvstore/raft/test_describe.h"
#include "kvstore/raft/test_messages.h"

namespace troupe::raft {
namespace {

using testing::SizeIs;

const Configuration kFirst{.voters = {ReplicaId(1)}};

// Commands of these terms, from index 1 on.
Log Of(const std::vector<uint64_t>& terms) {
  Log log({.configuration = kFirst}, {});
  for (uint64_t term : terms) log.Append(Command(log.last_index().value() + 1, term));
  return log;
}

EntryPtr ConfigurationEntry(uint64_t index, uint64_t term, uint64_t voters) {
  auto entry =
      std::make_shared<Entry>(Entry{.index = LogIndex(index), .term = Term(term), .kind = EntryKind::kConfiguration});
  for (uint64_t id = 1; id <= voters; ++id) entry->configuration.voters.push_back(ReplicaId(id));
  return entry;
}

TEST(LogTest, AnEmptyLogEndsWhereNothingIs) {
  const Log log = Of({});
  EXPECT_EQ(log.last_index(), LogIndex(0));
  EXPECT_EQ(log.last_term(), Term(0));
  EXPECT_TRUE(log.Matches(LogIndex(0), Term(0)));
  EXPECT_EQ(log.configuration(), kFirst);
}

TEST(LogTest, KnowsTermsFromItsSnapshotToItsEnd) {
  Log log = Of({1, 1, 2, 3});
  log.CompactTo(LogIndex(2), "here");
  EXPECT_EQ(log.TermAt(LogIndex(1)), std::nullopt);
  EXPECT_EQ(log.TermAt(LogIndex(2)), Term(1));
  EXPECT_EQ(log.TermAt(LogIndex(4)), Term(3));
  EXPECT_EQ(log.TermAt(LogIndex(5)), std::nullopt);
}

// Against a search over the plain terms.
TEST(LogTest, FindsTheLastEntryOfATermOrAnEarlierOne) {
  const std::vector<uint64_t> terms = {1, 1, 3, 3, 3, 5};
  for (uint64_t compacted = 0; compacted <= terms.size(); ++compacted) {
    Log log = Of(terms);
    if (compacted > 0) log.CompactTo(LogIndex(compacted), "here");
    for (uint64_t index = compacted; index <= terms.size() + 2; ++index) {
      for (uint64_t term = 0; term <= 6; ++term) {
        uint64_t expected = std::min<uint64_t>(index, terms.size());
        while (expected > compacted && terms[expected - 1] > term) --expected;
        EXPECT_EQ(log.LastAtMost(LogIndex(index), Term(term)), LogIndex(expected)) << index << "/t" << term;
      }
    }
  }
}

TEST(LogTest, HandsOutWithinLimitsButAtLeastOne) {
  const Log log = Of({1, 1, 1, 1});
  const size_t each = log.At(LogIndex(1))->bytes();
  EXPECT_THAT(log.From(LogIndex(2), 9, SIZE_MAX), SizeIs(3));
  EXPECT_THAT(log.From(LogIndex(2), 2, SIZE_MAX), SizeIs(2));
  EXPECT_THAT(log.From(LogIndex(1), 9, 3 * each), SizeIs(3));
  EXPECT_THAT(log.From(LogIndex(1), 9, 3 * each - 1), SizeIs(2));
  EXPECT_THAT(log.From(LogIndex(1), 9, 0), SizeIs(1));
  EXPECT_THAT(log.From(LogIndex(5), 9, SIZE_MAX), SizeIs(0));
}

TEST(LogTest, TruncationDropsTheConfigurationsToo) {
  Log log = Of({1});
  log.Append(ConfigurationEntry(2, 1, 2));
  log.Append(Command(3, 1));
  log.Append(ConfigurationEntry(4, 1, 3));
  EXPECT_EQ(log.configuration_index(), LogIndex(4));
  EXPECT_THAT(log.previous_configuration().voters, SizeIs(2));
  log.TruncateFrom(LogIndex(4));
  EXPECT_THAT(log.configuration().voters, SizeIs(2));
  log.TruncateFrom(LogIndex(2));
  EXPECT_EQ(log.configuration(), kFirst);
  EXPECT_EQ(log.last_index(), LogIndex(1));
}

TEST(LogTest, CompactionKeepsTheConfigurationOfItsIndex) {
  for (uint64_t index = 1; index <= 5; ++index) {
    Log log = Of({1});
    log.Append(ConfigurationEntry(2, 1, 2));
    log.Append(Command(3, 1));
    log.Append(ConfigurationEntry(4, 1, 3));
    log.Append(Command(5, 1));
    log.CompactTo(LogIndex(index), "here");
    EXPECT_THAT(log.snapshot().configuration.voters, SizeIs(index < 2 ? 1 : index < 4 ? 2 : 3)) << index;
    EXPECT_THAT(log.configuration().voters, SizeIs(3));
    EXPECT_EQ(log.last_index(), LogIndex(5));
  }
}

TEST(LogTest, ASnapshotFromElsewhereReplacesEverything) {
  Log log = Of({1, 1, 1});
  log.Append(ConfigurationEntry(4, 1, 3));
  log.Restore({LogIndex(9), Term(4), {.voters = {ReplicaId(1), ReplicaId(2)}}, "there"});
  EXPECT_EQ(log.last_index(), LogIndex(9));
  EXPECT_EQ(log.last_term(), Term(4));
  EXPECT_THAT(log.configuration().voters, SizeIs(2));
  log.Append(Command(10, 4));
  EXPECT_EQ(log.last_index(), LogIndex(10));
}

TEST(LogDeathTest, GapsFallingTermsAndCutsBelowTheSnapshotEndTheProcess) {
  Log log = Of({2, 2});
  EXPECT_DEATH(log.Append(Command(4, 2)), "does not follow");
  EXPECT_DEATH(log.Append(Command(3, 1)), "term falls");
  log.CompactTo(LogIndex(2), "here");
  EXPECT_DEATH(log.TruncateFrom(LogIndex(2)), "into a snapshot");
  EXPECT_DEATH(log.CompactTo(LogIndex(3), "there"), "not in the log");
}

}  // namespace
}  // namespace troupe::raft
