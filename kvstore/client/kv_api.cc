#include "kvstore/client/kv_api.h"

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "troupe/kv/v1/kv.pb.h"

namespace troupe {
namespace {

// A status' payloads are named by type, as the Any of the wire is.
constexpr char kKeyState[] = "type.googleapis.com/troupe.kv.v1.KeyState";
// These two mark what only the client's side can know; they never travel.
constexpr char kNoNodeAnswered[] = "troupe/no-node-answered";
constexpr char kConnectionLost[] = "troupe/connection-lost";

absl::Status MarkedUnavailable(std::string_view message, const char* mark) {
  absl::Status status = absl::UnavailableError(absl::string_view(message.data(), message.size()));
  status.SetPayload(mark, absl::Cord());
  return status;
}

}  // namespace

std::optional<KvApi::KeyState> KeyStateOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kKeyState);
  kv::v1::KeyState wire;
  if (!payload.has_value() || !wire.ParseFromString(std::string(*payload))) return std::nullopt;
  KvApi::KeyState state;
  state.exists = wire.exists();
  state.version = wire.version();
  state.value = std::move(*wire.mutable_value());
  state.value_size = wire.value_size();
  state.shard = wire.shard();
  state.revision = wire.revision();
  return state;
}

absl::Status WithKeyState(absl::Status status, const KvApi::KeyState& state) {
  kv::v1::KeyState wire;
  wire.set_exists(state.exists);
  wire.set_version(state.version);
  wire.set_value(state.value);
  wire.set_value_size(state.value_size);
  wire.set_shard(state.shard);
  wire.set_revision(state.revision);
  status.SetPayload(kKeyState, absl::Cord(wire.SerializeAsString()));
  return status;
}

bool NoNodeAnswered(const absl::Status& status) { return status.GetPayload(kNoNodeAnswered).has_value(); }

absl::Status NoNodeAnsweredError(std::string_view message) { return MarkedUnavailable(message, kNoNodeAnswered); }

bool OutcomeUnknown(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      return false;
    case absl::StatusCode::kUnavailable:
      return status.GetPayload(kConnectionLost).has_value();
    default:
      return true;
  }
}

absl::Status ConnectionLostError(std::string_view message) { return MarkedUnavailable(message, kConnectionLost); }

}  // namespace troupe
