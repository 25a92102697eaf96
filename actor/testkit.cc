#include "actor/testkit.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace troupe::testing {
namespace {

// What a probe's cell runs in place of an actor.
class Nobody final : public ActorBase {
 public:
  void RunStarted(LocalCell&) override {}
  void RunStopping(LocalCell&) override {}
  void RunRestarting(LocalCell&, const absl::Status&) override {}
};

// A notice, kept by the probe when its turn has come.
class NoticeEnvelope final : public Envelope {
 public:
  explicit NoticeEnvelope(Terminated terminated) : terminated_(std::move(terminated)) { control = true; }

  const std::type_info& type() const override { return typeid(Terminated); }
  void* message() override { return &terminated_; }
  void Invoke(ActorBase&, LocalCell& cell) override {
    static_cast<internal::ProbeCell&>(cell).Keep(std::make_unique<NoticeEnvelope>(terminated_));
  }
  void Fail(const absl::Status&) override {}

 private:
  Terminated terminated_;
};

std::string Place(std::source_location where) {
  return absl::StrCat(where.file_name(), ":", static_cast<uint32_t>(where.line()));
}

uint64_t FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

// How much has failed in this test so far.
int Failures() {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? 0 : test->result()->total_part_count();
}

}  // namespace

uint64_t Chosen::IdIn(const ActorSystem& system) const {
  if (name_.empty()) return id_.value;
  for (const ActorInfo& info : system.List()) {
    if (info.name == name_) return info.id.value;
  }
  throw ExpectationFailed("no actor has the name " + name_);
}

TestSystem::TestSystem(uint64_t seed, std::source_location where)
    : simulator(seed),
      executor(simulator, /*node=*/1),
      system(executor),
      trace_(where.file_name(), static_cast<int>(where.line()), absl::StrCat("seed ", seed)) {}

void TestSystem::Fail(std::source_location where, const std::string& what) const {
  throw ExpectationFailed(absl::StrCat(Place(where), ": ", what, " (seed ", simulator.seed(), ")"));
}

namespace internal {

bool ProbeCell::Deliver(std::unique_ptr<Envelope> envelope) {
  if (!alive()) return LocalCell::Deliver(std::move(envelope));
  if (kept_.size() >= kCapacity) {
    Bury(DeadLetterReason::kMailboxFull, *envelope);
    return false;
  }
  Keep(std::move(envelope));
  return true;
}

void ProbeCell::WatchFor(const std::shared_ptr<Cell>& other) {
  Watch(other, [](Terminated terminated) -> std::unique_ptr<Envelope> {
    return std::make_unique<NoticeEnvelope>(std::move(terminated));
  });
}

std::unique_ptr<Envelope> ProbeCell::Take(Instant now) {
  while (!kept_.empty()) {
    std::unique_ptr<Envelope> envelope = std::move(kept_.front());
    kept_.pop_front();
    if (envelope->deadline > now) return envelope;
  }
  return nullptr;
}

std::string ProbeCell::Describe() const {
  if (kept_.empty()) return " nothing";
  constexpr size_t kMost = 5;
  std::string text;
  for (size_t i = 0; i < kept_.size() && i < kMost; ++i) {
    absl::StrAppend(&text, i == 0 ? " a " : ", a ", TypeName(kept_[i]->type()));
  }
  if (kept_.size() > kMost) absl::StrAppend(&text, " and ", kept_.size() - kMost, " more");
  return text;
}

std::unique_ptr<ActorBase> ProbeCell::MakeActor() { return std::make_unique<Nobody>(); }

void ProbeCell::DropArguments() {
  for (const std::unique_ptr<Envelope>& envelope : std::exchange(kept_, {})) {
    envelope->Fail(DeadLetterStatus(DeadLetterReason::kTerminated, label()));
  }
}

void ForEachSeed(uint64_t seeds, absl::FunctionRef<void(uint64_t)> run) {
  const uint64_t only = FromEnvironment("TROUPE_SEED");
  const uint64_t many = FromEnvironment("TROUPE_SEEDS");
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t last = only != 0 ? only : many != 0 ? many : seeds;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const int failures = Failures();
    std::string thrown;
    try {
      run(seed);
    } catch (const std::exception& exception) {
      thrown = exception.what();
    }
    if (thrown.empty() && Failures() == failures) continue;
    ADD_FAILURE() << thrown << "\nseed " << seed << " of " << last << " failed; again: TROUPE_SEED=" << seed;
    return;
  }
}

}  // namespace internal

}  // namespace troupe::testing
