#include "kvstore/kv_service.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kvstore/limits.h"
#include "troupe/internal/v1/peer.pb.h"

namespace troupe {
namespace {

// `status` with the key as it stands among its details.
absl::Status WithKeyState(absl::Status status, const std::optional<Record>& record, size_t value_bytes, ShardId shard,
                          uint64_t revision) {
  kv::v1::KeyState state;
  state.set_exists(record.has_value());
  if (record.has_value()) {
    state.set_version(record->version);
    state.set_value_size(value_bytes);
    state.set_value(record->value);
  }
  state.set_shard(shard);
  state.set_revision(revision);
  status.SetPayload(kKeyStateUrl, absl::Cord(state.SerializeAsString()));
  return status;
}

absl::Status ConditionFailed(const std::string& key, const WriteOutcome& outcome) {
  std::string now = outcome.before.has_value() ? absl::StrCat("it has version ", outcome.before->version)
                                               : std::string("there is no such key");
  return WithKeyState(
      absl::FailedPreconditionError(absl::StrCat("the condition on ", KeyForPeople(key), " does not hold: ", now)),
      outcome.before, outcome.before_bytes, outcome.shard, outcome.revision);
}

absl::StatusOr<WriteCondition> ConditionOf(const kv::v1::Condition& condition) {
  switch (condition.kind_case()) {
    case kv::v1::Condition::kExists:
      return KeyMustExist{condition.exists()};
    case kv::v1::Condition::kVersion:
      return VersionMustBe{condition.version()};
    case kv::v1::Condition::kValue: {
      absl::Status value = CheckValue(condition.value());
      if (!value.ok()) return value;
      return ValueMustBe{condition.value()};
    }
    case kv::v1::Condition::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the condition is empty; set one of exists, version, value, or leave it out");
}

// A page token names its listing and the last key of the page before, so that any node can go on from it.
std::string MakePageToken(const std::string& prefix, const std::string& after) {
  internal::v1::ListPageToken token;
  token.set_prefix(prefix);
  token.set_after(after);
  return absl::WebSafeBase64Escape(token.SerializeAsString());
}

absl::StatusOr<std::string> KeyOfPageToken(const std::string& text, const std::string& prefix) {
  std::string bytes;
  internal::v1::ListPageToken token;
  if (!absl::WebSafeBase64Unescape(text, &bytes) || !token.ParseFromString(bytes) || token.after().empty()) {
    return absl::InvalidArgumentError("page_token is not one of ours; begin without one");
  }
  if (token.prefix() != prefix) {
    return absl::InvalidArgumentError("page_token belongs to a listing with another prefix; begin without one");
  }
  return token.after();
}

// What a read that was cut off did is known: nothing.
absl::Status OfRead(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnknown) return status;
  return absl::UnavailableError(status.message());
}

// A deadline alone does not say who missed it.
absl::Status Where(const absl::Status& status, Router* router, const std::string& key) {
  if (status.code() != absl::StatusCode::kDeadlineExceeded) return status;
  return absl::DeadlineExceededError(absl::StrCat(router->WhereIs(key), ": ", status.message()));
}

}  // namespace

void KvService::Get(const kv::v1::GetRequest& request, Duration timeout, Done<kv::v1::GetResponse> done) {
  absl::Status valid = CheckKey(request.key());
  if (!valid.ok()) return done(valid);
  router_.Read(request.key(), timeout)
      .Then(
          [router = &router_, key = request.key(), done = std::move(done)](absl::StatusOr<KeyReading> reading) mutable {
            if (!reading.ok()) return done(Where(OfRead(reading.status()), router, key));
            if (!reading->record.has_value()) {
              return done(WithKeyState(absl::NotFoundError(absl::StrCat("there is no key ", KeyForPeople(key))),
                                       std::nullopt, 0, reading->shard, reading->revision));
            }
            kv::v1::GetResponse response;
            response.set_value(std::move(reading->record->value));
            response.set_version(reading->record->version);
            response.set_shard(reading->shard);
            response.set_revision(reading->revision);
            done(std::move(response));
          });
}

void KvService::Set(const kv::v1::SetRequest& request, Duration timeout, Done<kv::v1::SetResponse> done) {
  absl::Status valid = CheckKey(request.key());
  if (valid.ok()) valid = CheckValue(request.value());
  WriteKey write{request.key(), request.value(), {}};
  if (valid.ok() && request.has_condition()) {
    absl::StatusOr<WriteCondition> condition = ConditionOf(request.condition());
    if (condition.ok()) write.condition = *std::move(condition);
    valid = condition.status();
  }
  if (!valid.ok()) return done(valid);
  router_.Write(std::move(write), timeout)
      .Then([router = &router_, key = request.key(),
             done = std::move(done)](absl::StatusOr<WriteOutcome> outcome) mutable {
        if (!outcome.ok()) return done(Where(outcome.status(), router, key));
        if (!outcome->condition_held) return done(ConditionFailed(key, *outcome));
        kv::v1::SetResponse response;
        response.set_version(outcome->version);
        response.set_shard(outcome->shard);
        response.set_revision(outcome->revision);
        done(std::move(response));
      });
}

void KvService::Delete(const kv::v1::DeleteRequest& request, Duration timeout, Done<kv::v1::DeleteResponse> done) {
  absl::Status valid = CheckKey(request.key());
  WriteKey write{request.key(), std::nullopt, {}};
  if (valid.ok() && request.has_condition()) {
    absl::StatusOr<WriteCondition> condition = ConditionOf(request.condition());
    if (condition.ok()) write.condition = *std::move(condition);
    valid = condition.status();
    const auto* existence = std::get_if<KeyMustExist>(&write.condition);
    if (existence != nullptr && !existence->exist) {
      valid = absl::InvalidArgumentError("a delete of a key that must not exist can remove nothing");
    }
  }
  if (!valid.ok()) return done(valid);
  router_.Write(std::move(write), timeout)
      .Then([router = &router_, key = request.key(),
             done = std::move(done)](absl::StatusOr<WriteOutcome> outcome) mutable {
        if (!outcome.ok()) return done(Where(outcome.status(), router, key));
        if (!outcome->condition_held) return done(ConditionFailed(key, *outcome));
        kv::v1::DeleteResponse response;
        response.set_deleted(outcome->before.has_value());
        response.set_shard(outcome->shard);
        response.set_revision(outcome->revision);
        done(std::move(response));
      });
}

void KvService::List(const kv::v1::ListRequest& request, Duration timeout, Done<kv::v1::ListResponse> done) {
  if (request.prefix().size() > kMaxKeyBytes) {
    return done(absl::InvalidArgumentError(
        absl::StrCat("the prefix has ", request.prefix().size(), " bytes; at most 4096 are allowed")));
  }
  PageRequest page{.prefix = request.prefix(), .after = std::nullopt, .keys_only = request.keys_only()};
  page.max_entries =
      request.page_size() == 0 ? kDefaultPageEntries : std::min<size_t>(request.page_size(), kMaxPageEntries);
  if (!request.page_token().empty()) {
    absl::StatusOr<std::string> after = KeyOfPageToken(request.page_token(), request.prefix());
    if (!after.ok()) return done(after.status());
    page.after = *std::move(after);
  }
  router_.List(std::move(page), timeout)
      .Then([prefix = request.prefix(), done = std::move(done)](absl::StatusOr<Page> page) mutable {
        if (!page.ok()) return done(OfRead(page.status()));
        kv::v1::ListResponse response;
        if (page->more) response.set_next_page_token(MakePageToken(prefix, page->entries.back().key));
        for (PageEntry& entry : page->entries) {
          kv::v1::Entry& out = *response.add_entries();
          out.set_key(std::move(entry.key));
          out.set_value(std::move(entry.record.value));
          out.set_version(entry.record.version);
          out.set_shard(entry.shard);
          out.set_revision(entry.revision);
        }
        done(std::move(response));
      });
}

}  // namespace troupe
