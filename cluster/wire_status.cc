#include "cluster/wire_status.h"

#include "absl/strings/escaping.h"
#include "cluster/wire_format.h"

namespace troupe {
namespace {

constexpr size_t kMaxErrorText = 64 << 10;

}  // namespace

std::string ToWireText(absl::string_view text) {
  if (text.size() > kMaxErrorText) {
    size_t length = kMaxErrorText;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
    text = text.substr(0, length);
  }
  std::string copy(text);
  return IsUtf8(copy) ? copy : absl::CEscape(copy).substr(0, kMaxErrorText);
}

absl::Status FromWireStatus(int32_t code, const std::string& message) {
  // A code that this release does not know is not an OK.
  const bool known = code > 0 && code <= static_cast<int32_t>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown, message);
}

}  // namespace troupe
