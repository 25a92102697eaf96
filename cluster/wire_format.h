// How messages between nodes look on the wire: as protobuf, each under a registered name.
#ifndef TROUPE_CLUSTER_WIRE_FORMAT_H_
#define TROUPE_CLUSTER_WIRE_FORMAT_H_

#include <google/protobuf/message_lite.h>
#include <google/protobuf/stubs/common.h>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace troupe {

// A message that crosses nodes, or a result, has one of these:
//
//   template <>
//   struct WireFormat<Greet> {
//     using Proto = example::v1::Greet;
//     static constexpr std::string_view kName = "example.Greet";  // routes a message; never reused for another
//     static Proto ToProto(Greet greet);
//     static absl::StatusOr<Greet> FromProto(Proto proto);  // kInvalidArgument: no Greet of ours looks so
//   };
//
// A result needs no name. A protobuf message is its own form, under its own name.
template <typename T>
struct WireFormat;

template <typename T>
requires std::derived_from<T, google::protobuf::MessageLite>
struct WireFormat<T> {
  using Proto = T;
  static T ToProto(T message) { return message; }
  static absl::StatusOr<T> FromProto(T proto) { return proto; }
};

// Nothing else may stand in a protobuf string: it can be written, but a message with it is not read again.
inline bool IsUtf8(const std::string& text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(), static_cast<int>(text.size()));
}

template <typename T>
std::string EncodeForWire(T value) {
  return WireFormat<T>::ToProto(std::move(value)).SerializeAsString();
}

template <typename T>
absl::StatusOr<T> DecodeFromWire(const std::string& bytes) {
  typename WireFormat<T>::Proto proto;
  if (!proto.ParseFromString(bytes)) {
    return absl::InvalidArgumentError(absl::StrCat("these ", bytes.size(), " bytes are no ", proto.GetTypeName()));
  }
  return WireFormat<T>::FromProto(std::move(proto));
}

}  // namespace troupe

#endif  // TROUPE_CLUSTER_WIRE_FORMAT_H_
