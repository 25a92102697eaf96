// Mailbox and ready queue under every schedule of small cases, against what a list under a lock would do.
#include <algorithm>
#include <deque>
#include <optional>
#include <string>

#include "actor/mailbox.h"
#include "actor/ready_queue.h"
#include "actor/schedule_explorer.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

using testing::ModelAtomic;
using testing::ModelMutex;
using testing::ScheduleExplorer;
using Threads = ScheduleExplorer::Threads;

constexpr int kPreemptions = 3;

struct NumberedItem final : MailboxItem {
  NumberedItem(int its_sender, int its_number, MailboxLane its_lane)
      : sender(its_sender), number(its_number), lane(its_lane) {}
  const int sender;
  const int number;
  const MailboxLane lane;
};

struct MailboxCase {
  std::string name;
  size_t capacity = 8;
  // What each sender pushes: u and s for the two lanes, x for a stop on the system lane, at which the turn closes.
  std::vector<std::string> senders;
  int batch = 2;
  // The user lane opens only with the turn that handles a system item.
  bool begins_shut = false;
  Overflow overflow = Overflow::kReject;
  // A user item is followed by those that wait behind it, whatever waits on the system lane.
  bool takes_all = false;
};

// A mailbox whose turns are run by whoever is told to schedule it.
class MailboxModel {
 public:
  explicit MailboxModel(const MailboxCase& its_case)
      : case_(its_case), mailbox_(its_case.capacity, its_case.overflow), open_(!its_case.begins_shut) {
    if (mailbox_.EndTurn(open_)) Fault("an empty mailbox wants a turn");
  }

  void Send(int sender) {
    int number = 0;
    for (const char kind : case_.senders[static_cast<size_t>(sender)]) {
      const MailboxLane lane = kind == 'u' ? MailboxLane::kUser : MailboxLane::kSystem;
      const int mark = kind == 'x' ? -1 : number++;
      // Before the push: another may handle it before this one learns how it went.
      waiting_.push_back({sender, mark, lane});
      std::unique_ptr<MailboxItem> item = std::make_unique<NumberedItem>(sender, mark, lane);
      auto result = mailbox_.Push(item, lane);
      if (item != nullptr) {
        Handled(static_cast<NumberedItem&>(*item), /*in_order=*/false);
        ++refused_;
      }
      if (result.wake) RunTurns();
    }
  }

  // What went wrong, once all have sent; empty when nothing did.
  std::string Fault() {
    if (fault_.empty() && open_ && !waiting_.empty()) fault_ = "an item was lost";
    if (fault_.empty() && !closed_ && open_ && mailbox_.depth() != 0) fault_ = "the depth does not come back to 0";
    for (const Item& item : waiting_) {
      if (fault_.empty() && item.lane == MailboxLane::kSystem) fault_ = "a system item was lost";
    }
    return fault_;
  }
  int refused() const { return refused_; }

 private:
  struct Item {
    int sender;
    int number;
    MailboxLane lane;
  };

  void Fault(const std::string& fault) {
    if (fault_.empty()) fault_ = fault;
  }

  void RunTurns() {
    for (bool more = true; more;) {
      if (std::exchange(in_turn_, true)) Fault("two turns at once");
      for (int i = 0; i < case_.batch && !closed_; ++i) {
        std::unique_ptr<MailboxItem> item = mailbox_.Pop(open_);
        if (item == nullptr) break;
        auto& numbered = static_cast<NumberedItem&>(*item);
        if (!open_ && numbered.lane == MailboxLane::kUser) Fault("a user item came while its lane was shut");
        if (numbered.lane == MailboxLane::kSystem) open_ = true;
        Handled(numbered, /*in_order=*/true);
        if (numbered.number == -1) Close();
        if (numbered.lane == MailboxLane::kUser && case_.takes_all) TakeAll();
      }
      in_turn_ = false;
      more = !closed_ && mailbox_.EndTurn(open_);
    }
  }

  void TakeAll() {
    while (std::unique_ptr<MailboxItem> item = mailbox_.PopUserIf([](MailboxItem&) { return true; })) {
      Handled(static_cast<NumberedItem&>(*item), /*in_order=*/true);
    }
  }

  void Close() {
    closed_ = true;
    for (auto& item : mailbox_.Close()) Handled(static_cast<NumberedItem&>(*item), /*in_order=*/true);
  }

  void Handled(const NumberedItem& item, bool in_order) {
    auto same_lane = [&](const Item& other) { return other.sender == item.sender && other.lane == item.lane; };
    auto found = std::find_if(waiting_.begin(), waiting_.end(),
                              [&](const Item& other) { return same_lane(other) && other.number == item.number; });
    if (found == waiting_.end()) return Fault("an item came twice");
    if (in_order && std::find_if(waiting_.begin(), found, same_lane) != found) Fault("one overtook another");
    waiting_.erase(found);
  }

  const MailboxCase case_;
  BasicMailbox<ModelAtomic, ModelMutex> mailbox_;
  std::deque<Item> waiting_;
  bool open_;
  bool in_turn_ = false;
  bool closed_ = false;
  int refused_ = 0;
  std::string fault_;
};

class MailboxInterleavingTest : public ::testing::TestWithParam<MailboxCase> {};

TEST_P(MailboxInterleavingTest, NothingIsLostDoubledOrOvertakenInAnySchedule) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "one thread that changes its stacks by itself: nothing for a sanitizer to see";
#endif
  std::unique_ptr<MailboxModel> model;
  ScheduleExplorer explorer;
  const uint64_t schedules = explorer.Run(
      kPreemptions,
      [&] {
        model = std::make_unique<MailboxModel>(GetParam());
        Threads threads;
        for (size_t i = 0; i < GetParam().senders.size(); ++i) {
          threads.push_back([&model, i] { model->Send(static_cast<int>(i)); });
        }
        return threads;
      },
      [&] {
        EXPECT_EQ(model->Fault(), "");
        return model->Fault().empty();
      });
  RecordProperty("schedules", std::to_string(schedules));
  EXPECT_GT(schedules, 500u);
}

INSTANTIATE_TEST_SUITE_P(
    All, MailboxInterleavingTest,
    ::testing::Values(
        MailboxCase{.name = "TwoSenders", .senders = {"uu", "uu"}},
        MailboxCase{.name = "ThreeSenders", .senders = {"u", "uu", "u"}},
        MailboxCase{.name = "BothLanes", .senders = {"us", "su"}},
        MailboxCase{.name = "OneAtATime", .senders = {"us", "uu"}, .batch = 1},
        MailboxCase{.name = "RoomForOne", .capacity = 1, .senders = {"uu", "uu"}},
        MailboxCase{.name = "Stopped", .senders = {"ux", "us"}},
        MailboxCase{.name = "StoppedTwice", .senders = {"x", "x", "u"}},
        MailboxCase{.name = "ShutAtFirst", .senders = {"uus", "uu"}, .begins_shut = true},
        MailboxCase{.name = "TakesAll", .senders = {"uu", "usu"}, .takes_all = true},
        MailboxCase{.name = "DropsOldest",
                    .capacity = 2,
                    .senders = {"uuu", "uu"},
                    .batch = 1,
                    .overflow = Overflow::kDropOldest},
        MailboxCase{
            .name = "DropsOldestOfOne", .capacity = 1, .senders = {"us", "u", "uu"}, .overflow = Overflow::kDropOldest},
        MailboxCase{.name = "DropsOldestTakesAll",
                    .capacity = 2,
                    .senders = {"uuu", "us"},
                    .overflow = Overflow::kDropOldest,
                    .takes_all = true},
        MailboxCase{
            .name = "DropsOldestAndStops", .capacity = 1, .senders = {"uux", "uu"}, .overflow = Overflow::kDropOldest},
        MailboxCase{.name = "DropsOldestShutAtFirst",
                    .capacity = 1,
                    .senders = {"uus", "uu"},
                    .begins_shut = true,
                    .overflow = Overflow::kDropOldest}),
    [](const auto& info) { return info.param.name; });

// Senders that wait for room, as LocalCell has them: one whose item comes back sends word by the system lane, and goes
// on when the turn tells it that there is room.
struct RoomCase {
  std::string name;
  size_t capacity = 1;
  int senders = 2;
  int each = 2;
  int batch = 1;
  // A sender that is told goes on while the turn still runs, or after it.
  bool goes_on_in_the_turn = false;
};

class RoomModel {
 public:
  explicit RoomModel(const RoomCase& its_case)
      : case_(its_case),
        mailbox_(its_case.capacity, Overflow::kReject),
        sent_(its_case.senders),
        read_(its_case.senders) {
    mailbox_.EndTurn(/*user_lane=*/true);
  }

  void Send(int sender) {
    int& sent = sent_[static_cast<size_t>(sender)];
    while (sent < case_.each) {
      // Before the push, which may end in a turn that another runs.
      const int number = sent++;
      std::unique_ptr<MailboxItem> item = std::make_unique<NumberedItem>(sender, number, MailboxLane::kUser);
      if (mailbox_.Push(item, MailboxLane::kUser, /*may_drop=*/false).wake) RunTurns();
      if (item == nullptr) continue;
      sent = number;
      item = std::make_unique<NumberedItem>(sender, number, MailboxLane::kSystem);
      if (mailbox_.Push(item, MailboxLane::kSystem).wake) RunTurns();
      return;
    }
  }

  // What went wrong, once all have sent; empty when nothing did.
  std::string Fault() const {
    if (!fault_.empty()) return fault_;
    for (const int read : read_) {
      if (read != case_.each) return "a sender waits for ever";
    }
    return mailbox_.depth() == 0 ? "" : "the depth does not come back to 0";
  }

 private:
  void RunTurns() {
    for (bool more = true; more;) {
      std::vector<int> told;
      for (int i = 0; i < case_.batch; ++i) {
        std::unique_ptr<MailboxItem> item = mailbox_.Pop(/*user_lane=*/true);
        if (item == nullptr) break;
        const auto& numbered = static_cast<NumberedItem&>(*item);
        if (numbered.lane == MailboxLane::kUser) {
          if (read_[static_cast<size_t>(numbered.sender)]++ != numbered.number) fault_ = "lost, doubled or overtaken";
        } else {
          waiters_.push_back(numbered.sender);
        }
      }
      if (!waiters_.empty() && mailbox_.HalfEmpty()) {
        told.insert(told.end(), waiters_.begin(), waiters_.end());
        waiters_.clear();
      }
      if (case_.goes_on_in_the_turn) {
        for (const int sender : std::exchange(told, {})) Send(sender);
      }
      more = mailbox_.EndTurn(/*user_lane=*/true);
      for (const int sender : told) Send(sender);
    }
  }

  const RoomCase case_;
  BasicMailbox<ModelAtomic> mailbox_;
  std::vector<int> sent_;
  std::vector<int> read_;
  std::vector<int> waiters_;
  std::string fault_;
};

class RoomInterleavingTest : public ::testing::TestWithParam<RoomCase> {};

TEST_P(RoomInterleavingTest, NobodyWaitsForRoomForEverInAnySchedule) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "one thread that changes its stacks by itself: nothing for a sanitizer to see";
#endif
  std::unique_ptr<RoomModel> model;
  ScheduleExplorer explorer;
  const uint64_t schedules = explorer.Run(
      kPreemptions,
      [&] {
        model = std::make_unique<RoomModel>(GetParam());
        Threads threads;
        for (int i = 0; i < GetParam().senders; ++i) threads.push_back([&model, i] { model->Send(i); });
        return threads;
      },
      [&] {
        EXPECT_EQ(model->Fault(), "");
        return model->Fault().empty();
      });
  RecordProperty("schedules", std::to_string(schedules));
  EXPECT_GT(schedules, 500u);
}

INSTANTIATE_TEST_SUITE_P(All, RoomInterleavingTest,
                         ::testing::Values(RoomCase{.name = "RoomForOne"},
                                           RoomCase{.name = "RoomForTwo", .capacity = 2, .each = 3, .batch = 2},
                                           RoomCase{.name = "ThreeSenders", .senders = 3, .batch = 2},
                                           RoomCase{.name = "DuringTheTurn", .batch = 2, .goes_on_in_the_turn = true}),
                         [](const auto& info) { return info.param.name; });

// Owner and thieves. The owner pushes and pops in turn, thieves steal and empty what they stole.
struct ReadyCase {
  std::string name;
  std::string owner;  // + pushes the next number, - pops
  int thieves = 1;
  int thefts = 1;  // by each
};

class ReadyQueueInterleavingTest : public ::testing::TestWithParam<ReadyCase> {};

TEST_P(ReadyQueueInterleavingTest, EachIsTakenOnceAndInOrderInAnySchedule) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "one thread that changes its stacks by itself: nothing for a sanitizer to see";
#endif
  using Queue = BasicReadyQueue<ModelAtomic, int, 4>;
  struct Model {
    Queue queue;
    std::deque<Queue> theirs;
    std::vector<std::vector<int>> taken;
    std::vector<int> refused;
  };
  std::vector<int> numbers(16);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
  const ReadyCase& parameters = GetParam();
  std::unique_ptr<Model> model;

  auto own = [&] {
    size_t next = 0;
    for (const char step : parameters.owner) {
      if (step == '+') {
        if (!model->queue.Push(&numbers[next])) model->refused.push_back(numbers[next]);
        ++next;
      } else if (const int* number = model->queue.Pop()) {
        model->taken[0].push_back(*number);
      }
    }
  };
  auto steal = [&](size_t thief) {
    Queue& loot = model->theirs[thief - 1];
    for (int i = 0; i < parameters.thefts; ++i) {
      if (!model->queue.StealInto(loot)) continue;
      while (const int* number = loot.Pop()) model->taken[thief].push_back(*number);
    }
  };
  auto fault = [&]() -> std::string {
    while (const int* number = model->queue.Pop()) model->taken[0].push_back(*number);
    std::vector<int> all = model->refused;
    for (const std::vector<int>& taken : model->taken) {
      if (!std::is_sorted(taken.begin(), taken.end())) return "one overtook another";
      all.insert(all.end(), taken.begin(), taken.end());
    }
    std::sort(all.begin(), all.end());
    const auto pushed = std::count(parameters.owner.begin(), parameters.owner.end(), '+');
    return std::equal(all.begin(), all.end(), numbers.begin(), numbers.begin() + pushed) ? "" : "lost or doubled";
  };

  ScheduleExplorer explorer;
  const uint64_t schedules = explorer.Run(
      kPreemptions,
      [&] {
        model = std::make_unique<Model>();
        model->taken.resize(static_cast<size_t>(parameters.thieves) + 1);
        Threads threads = {own};
        for (int i = 1; i <= parameters.thieves; ++i) {
          model->theirs.emplace_back();
          threads.push_back([&steal, i] { steal(static_cast<size_t>(i)); });
        }
        return threads;
      },
      [&] {
        const std::string found = fault();
        EXPECT_EQ(found, "");
        return found.empty();
      });
  RecordProperty("schedules", std::to_string(schedules));
  EXPECT_GT(schedules, 500u);
}

INSTANTIATE_TEST_SUITE_P(All, ReadyQueueInterleavingTest,
                         ::testing::Values(ReadyCase{.name = "OneThief", .owner = "+++--+-", .thefts = 2},
                                           ReadyCase{.name = "TwoThieves", .owner = "+++-+", .thieves = 2},
                                           ReadyCase{.name = "AroundTheRing", .owner = "++++--++--+", .thefts = 2}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace troupe
