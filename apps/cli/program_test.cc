#include "apps/cli/program.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace troupe {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

TEST(ProgramTest, TellsWhatItPrintedAndHowItEnded) {
  const absl::StatusOr<ProgramResult> result = RunProgram({"sh", "-c", "echo out; echo err >&2; exit 3"}, kLong);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(RunProgram({"sh", "-c", "kill -9 $$"}, kLong)->exit_code, 128 + SIGKILL);
}

TEST(ProgramTest, WordsMeanThemselves) {
  EXPECT_EQ(RunProgram({"echo", "$HOME; *", "a b"}, kLong)->out, "$HOME; * a b\n");
}

TEST(ProgramTest, ItReadsNothing) { EXPECT_EQ(RunProgram({"cat"}, kLong)->out, ""); }

TEST(ProgramTest, OneThatIsNotThereIsNamed) {
  EXPECT_EQ(RunProgram({"/no/such", "kill"}, kLong).status(),
            absl::NotFoundError("cannot run /no/such: No such file or directory"));
}

TEST(ProgramTest, OneThatHangsIsKilledWithItsChildren) {
  const std::string pid_file = absl::StrCat(std::getenv("TEST_TMPDIR"), "/pid");
  const absl::Status status =
      RunProgram({"sh", "-c", absl::StrCat("sleep 1000 & echo $! >", pid_file, "; wait")}, absl::Milliseconds(500))
          .status();
  EXPECT_EQ(status, absl::DeadlineExceededError("sh did not end within 500ms"));
  const std::string gone = absl::StrCat("while kill -0 $(cat ", pid_file, ") 2>&-; do sleep 0.01; done");
  EXPECT_TRUE(RunProgram({"sh", "-c", gone}, kLong).ok());
}

TEST(ProgramTest, WhatItLeavesRunningIsNotWaitedFor) {
  const absl::Time begin = absl::Now();
  const absl::StatusOr<ProgramResult> result = RunProgram({"sh", "-c", "sleep 20 & echo $!"}, kLong);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(15));
  EXPECT_EQ(kill(std::atoi(result->out.c_str()), SIGKILL), 0);
}

TEST(ProgramTest, OfALongOutputTheBeginningIsKept) {
  EXPECT_EQ(RunProgram({"sh", "-c", "yes | head -c 1000000"}, kLong)->out.size(), 64 << 10);
}

TEST(ProgramTest, ACtrlCHereIsNotForIt) {
  // Its session is not ours, so neither is its terminal; and SIGINT, blocked here, ends it as anybody would expect.
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
  const std::string session = RunProgram({"sh", "-c", "cut -d' ' -f6 /proc/$$/stat; echo $$"}, kLong)->out;
  const size_t line_end = session.find('\n');
  EXPECT_EQ(session.substr(0, line_end + 1), session.substr(line_end + 1));
  EXPECT_EQ(RunProgram({"sh", "-c", "kill -INT $$"}, kLong)->exit_code, 128 + SIGINT);
}

}  // namespace
}  // namespace troupe
