// The logic of troupe.kv.v1.KvService, below gRPC: checks what comes from outside, and turns requests into questions
// to shards and their answers into replies.
#ifndef TROUPE_KVSTORE_KV_SERVICE_H_
#define TROUPE_KVSTORE_KV_SERVICE_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kvstore/router.h"
#include "troupe/kv/v1/kv.pb.h"

namespace troupe {

// Called once, by the timeout at the latest, on whatever thread has the answer; it must not block.
template <typename Response>
using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

// Under this type URL a KeyState is attached to kNotFound and kFailedPrecondition.
inline constexpr char kKeyStateUrl[] = "type.googleapis.com/troupe.kv.v1.KeyState";

// Thread-safe; nothing blocks. The router must outlive it.
class KvService {
 public:
  explicit KvService(Router& router) : router_(router) {}

  void Get(const kv::v1::GetRequest& request, Duration timeout, Done<kv::v1::GetResponse> done);
  void Set(const kv::v1::SetRequest& request, Duration timeout, Done<kv::v1::SetResponse> done);
  void Delete(const kv::v1::DeleteRequest& request, Duration timeout, Done<kv::v1::DeleteResponse> done);
  void List(const kv::v1::ListRequest& request, Duration timeout, Done<kv::v1::ListResponse> done);

 private:
  Router& router_;
};

}  // namespace troupe

#endif  // TROUPE_KVSTORE_KV_SERVICE_H_
