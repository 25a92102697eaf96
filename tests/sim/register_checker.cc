#include "tests/sim/register_checker.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace troupe::sim {
namespace {

// A write that happened or may have.
struct Write {
  std::string value;  // empty: a delete, or the beginning
  Instant called;
  Instant returned;
  bool certain = false;
};

bool IsRefusal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status);
}

std::map<std::string, std::vector<Write>> WritesByKey(const std::vector<Operation>& history) {
  std::map<std::string, std::vector<Write>> writes;
  for (const Operation& operation : history) {
    const PlanLine& line = operation.line;
    if (line.verb != "set" && line.verb != "cas" && line.verb != "del") continue;
    const bool certain = operation.status.ok() && !operation.cut_off;
    if (!certain && !operation.cut_off && IsRefusal(operation.status)) continue;
    writes[line.arguments[0]].push_back(Write{line.verb == "del" ? "" : line.arguments.back(), operation.called,
                                              certain ? operation.returned : Instant::Never(), certain});
  }
  return writes;
}

// Whether a certain write lies wholly between the end of `write` and the beginning of `read`.
bool Replaced(const Write& write, const Operation& read, const std::vector<Write>& writes) {
  for (const Write& other : writes) {
    if (other.certain && other.called > write.returned && other.returned < read.called) return true;
  }
  return false;
}

bool Explained(const Operation& read, const std::string& value, const std::vector<Write>& writes) {
  const Write beginning{"", Instant::FromNanos(-2), Instant::FromNanos(-1), true};
  if (value.empty() && !Replaced(beginning, read, writes)) return true;
  for (const Write& write : writes) {
    if (write.value == value && write.called <= read.returned && !Replaced(write, read, writes)) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckRegisters(const std::vector<Operation>& history) {
  std::map<std::string, std::vector<Write>> writes = WritesByKey(history);
  for (const Operation& read : history) {
    if (read.line.verb != "get" || read.cut_off) continue;
    if (!read.status.ok() && !absl::IsNotFound(read.status)) continue;
    const std::string& key = read.line.arguments[0];
    if (Explained(read, read.result, writes[key])) continue;
    return absl::DataLossError(absl::StrCat("at ", absl::FormatDuration(read.called - Instant()), " a get of ", key,
                                            " saw ", read.result.empty() ? "no key" : read.result,
                                            ", which no write explains"));
  }
  return absl::OkStatus();
}

}  // namespace troupe::sim
