#include "tests/sim/register_checker.h"

#include <map>
#include <optional>
#include <set>
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
  return absl::IsFailedPrecondition(status) || absl::IsResourceExhausted(status) || absl::IsInvalidArgument(status) ||
         absl::IsUnavailable(status);
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

// What the operation saw of its key, if it saw something: a get its answer, a cas that was done what it expected.
std::optional<std::string> Seen(const Operation& operation) {
  if (operation.cut_off) return std::nullopt;
  if (operation.line.verb == "get" && (operation.status.ok() || absl::IsNotFound(operation.status))) {
    return operation.result;
  }
  if (operation.line.verb == "cas" && operation.status.ok()) return operation.line.arguments[1];
  return std::nullopt;
}

absl::Status CheckVersions(const std::vector<Operation>& history) {
  std::map<std::string, std::vector<const Operation*>> by_key;
  for (const Operation& operation : history) {
    const bool wrote = operation.line.verb == "set" || operation.line.verb == "cas";
    if (wrote && operation.status.ok() && !operation.cut_off) by_key[operation.line.arguments[0]].push_back(&operation);
  }
  for (const auto& [key, writes] : by_key) {
    for (const Operation* a : writes) {
      for (const Operation* b : writes) {
        const bool twice = a != b && a->version == b->version;
        const bool fell = a->returned < b->called && a->version > b->version;
        if (!twice && !fell) continue;
        return absl::DataLossError(
            absl::StrCat(key, " got version ", b->version, " after version ", a->version, ", or a version twice"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRegisters(const std::vector<Operation>& history) {
  std::map<std::string, std::vector<Write>> writes = WritesByKey(history);
  std::set<std::string> gave_way;
  for (const Operation& read : history) {
    const std::optional<std::string> seen = Seen(read);
    if (!seen.has_value()) continue;
    const std::string& key = read.line.arguments[0];
    if (!Explained(read, *seen, writes[key])) {
      return absl::DataLossError(absl::StrCat("at ", absl::FormatDuration(read.called - Instant()), " a ",
                                              read.line.verb, " of ", key, " saw ", seen->empty() ? "no key" : *seen,
                                              ", which no write explains"));
    }
    if (read.line.verb == "cas" && !gave_way.insert(absl::StrCat(key, "=", *seen)).second) {
      return absl::DataLossError(absl::StrCat("two cas of ", key, " both found ", *seen));
    }
  }
  return CheckVersions(history);
}

}  // namespace troupe::sim
