#include "kvstore/limits.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace troupe {

absl::Status CheckKey(std::string_view key) {
  if (key.empty()) return absl::InvalidArgumentError("the key is empty; a key has 1 to 4096 bytes");
  if (key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key ", KeyForPeople(key), " has ", key.size(), " bytes; at most 4096 are allowed"));
  }
  return absl::OkStatus();
}

absl::Status CheckValue(std::string_view value) {
  if (value.size() <= kMaxValueBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the value has ", value.size(), " bytes; at most 1048576 (1 MiB) are allowed"));
}

std::string KeyForPeople(std::string_view key) {
  constexpr size_t kShown = 64;
  std::string escaped = absl::CHexEscape(absl::string_view(key.data(), std::min(key.size(), kShown)));
  return absl::StrCat("\"", escaped, key.size() > kShown ? "\"..." : "\"");
}

}  // namespace troupe
