#include "actor/dead_letter.h"

#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace troupe {

absl::Status DeadLetterStatus(DeadLetterReason reason, const std::string& recipient) {
  switch (reason) {
    case DeadLetterReason::kTerminated:
      return absl::UnavailableError(absl::StrCat(recipient, " has terminated"));
    case DeadLetterReason::kMailboxFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("the mailbox of ", recipient, " is full; try again in a moment"));
    case DeadLetterReason::kExpired:
      return absl::DeadlineExceededError(absl::StrCat(recipient, " did not come to the message before its deadline"));
    case DeadLetterReason::kUnreachable:
      return absl::UnavailableError(absl::StrCat("there is no way to ", recipient));
    case DeadLetterReason::kStashFull:
      return absl::ResourceExhaustedError(absl::StrCat("the stash of ", recipient, " is full; try again in a moment"));
    case DeadLetterReason::kUnhandled:
      return absl::FailedPreconditionError(absl::StrCat(recipient, " does not take this message in its present state"));
  }
  return absl::InternalError("no such reason");
}

std::string_view DeadLetterReasonName(DeadLetterReason reason) {
  switch (reason) {
    case DeadLetterReason::kTerminated:
      return "terminated";
    case DeadLetterReason::kMailboxFull:
      return "mailbox full";
    case DeadLetterReason::kExpired:
      return "expired";
    case DeadLetterReason::kUnreachable:
      return "unreachable";
    case DeadLetterReason::kStashFull:
      return "stash full";
    case DeadLetterReason::kUnhandled:
      return "unhandled";
  }
  return "no such reason";
}

namespace internal {

LogLimit::Line DeadLetterCounts::Count(DeadLetterReason reason) {
  counts_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  const LogLimit::Line line = limit_.Next();
  if (line == LogLimit::Line::kHide) hidden_[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  return line;
}

std::string DeadLetterCounts::EndInterval() {
  // First: what comes from here on begins an interval of its own.
  limit_.EndInterval();
  uint64_t all = 0;
  std::vector<std::string> parts;
  for (size_t i = 0; i < hidden_.size(); ++i) {
    const uint64_t hidden = hidden_[i].exchange(0, std::memory_order_relaxed);
    if (hidden == 0) continue;
    all += hidden;
    const std::string_view reason = DeadLetterReasonName(static_cast<DeadLetterReason>(i));
    parts.push_back(absl::StrCat(hidden, " ", absl::string_view(reason.data(), reason.size())));
  }
  if (all == 0) return "";
  return absl::StrCat("dead letters: ", all, " more within ", absl::FormatDuration(LogLimit::Interval()),
                      " were not shown (", absl::StrJoin(parts, ", "), ")");
}

uint64_t DeadLetterCounts::total() const {
  uint64_t total = 0;
  for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
  return total;
}

}  // namespace internal
}  // namespace troupe
