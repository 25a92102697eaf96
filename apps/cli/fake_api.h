#ifndef TROUPE_APPS_CLI_FAKE_API_H_
#define TROUPE_APPS_CLI_FAKE_API_H_

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "kvstore/client/kv_api.h"

namespace troupe {

// A cluster in a map. Every key is in shard 11; revisions count all writes. Calls fail while `failure` is not OK.
class FakeApi final : public KvApi {
 public:
  absl::Status failure;
  // The most entries or actors in a page, whatever is asked for.
  size_t page_limit = 1000;
  ClusterStatus status;
  MemberList members;
  ShardMap map;
  std::vector<ActorInfo> actors;
  // Comes with every page of actors.
  std::vector<std::string> unreachable_nodes;
  std::map<std::string, Entry> entries;
  // What was asked for last.
  absl::Duration last_timeout;
  ListQuery last_query;

  void Put(std::string key, std::string value) {
    ++revision_;
    entries[key] = {key, std::move(value), revision_, 11, revision_};
  }

  absl::StatusOr<Entry> Get(std::string_view key, absl::Duration timeout) override {
    last_timeout = timeout;
    if (!failure.ok()) return failure;
    const auto found = entries.find(std::string(key));
    if (found == entries.end()) return WithKeyState(absl::NotFoundError("no such key"), StateOf(key));
    return found->second;
  }

  absl::StatusOr<Written> Set(std::string_view key, std::string_view value, const Condition& condition,
                              absl::Duration timeout) override {
    last_timeout = timeout;
    if (!failure.ok()) return failure;
    if (!Holds(condition, StateOf(key))) {
      return WithKeyState(absl::FailedPreconditionError("the condition does not hold"), StateOf(key));
    }
    Put(std::string(key), std::string(value));
    return Written{revision_, 11, revision_};
  }

  absl::StatusOr<Deleted> Delete(std::string_view key, const Condition&, absl::Duration) override {
    if (!failure.ok()) return failure;
    const bool existed = entries.erase(std::string(key)) == 1;
    if (existed) ++revision_;
    return Deleted{existed, 11, revision_};
  }

  absl::StatusOr<ListPage> List(const ListQuery& query, absl::Duration timeout) override {
    last_timeout = timeout;
    last_query = query;
    if (!failure.ok()) return failure;
    ListPage page;
    const size_t size = std::min<size_t>(page_limit, query.page_size == 0 ? 100 : query.page_size);
    // A token is the last key of the page before.
    for (auto at = entries.upper_bound(query.page_token); at != entries.end(); ++at) {
      if (!absl::StartsWith(at->first, query.prefix)) continue;
      if (page.entries.size() == size) {
        page.next_page_token = page.entries.back().key;
        break;
      }
      page.entries.push_back(at->second);
      if (query.keys_only) page.entries.back().value.clear();
    }
    return page;
  }

  absl::StatusOr<ClusterStatus> GetStatus(absl::Duration) override {
    if (!failure.ok()) return failure;
    return status;
  }

  absl::StatusOr<MemberList> ListMembers(absl::Duration timeout) override {
    last_timeout = timeout;
    if (!failure.ok()) return failure;
    return members;
  }

  absl::StatusOr<ShardMap> GetShardMap(absl::Duration) override {
    if (!failure.ok()) return failure;
    return map;
  }

  absl::StatusOr<ActorPage> ListActors(const ActorQuery& query, absl::Duration) override {
    if (!failure.ok()) return failure;
    ActorPage page;
    page.unreachable_nodes = unreachable_nodes;
    for (size_t i = query.page_token.empty() ? 0 : std::stoul(query.page_token); i < actors.size(); ++i) {
      if (page.actors.size() == page_limit) {
        page.next_page_token = std::to_string(i);
        break;
      }
      const bool on_node = query.node.empty() || actors[i].node == query.node;
      if (on_node && absl::StartsWith(actors[i].name, query.name_prefix)) page.actors.push_back(actors[i]);
    }
    return page;
  }

 private:
  KeyState StateOf(std::string_view key) const {
    const auto found = entries.find(std::string(key));
    if (found == entries.end()) return {false, 0, "", 0, 11, revision_};
    const Entry& entry = found->second;
    const bool fits = entry.value.size() <= 1024;
    return {true, entry.version, fits ? entry.value : "", entry.value.size(), 11, revision_};
  }

  bool Holds(const Condition& condition, const KeyState& state) const {
    switch (condition.kind) {
      case Condition::Kind::kNone:
        return true;
      case Condition::Kind::kAbsent:
        return !state.exists;
      case Condition::Kind::kPresent:
        return state.exists;
      case Condition::Kind::kVersion:
        return state.exists && state.version == condition.version;
      case Condition::Kind::kValue:
        return state.exists && state.value == condition.value;
    }
    return false;
  }

  uint64_t revision_ = 0;
};

}  // namespace troupe

#endif  // TROUPE_APPS_CLI_FAKE_API_H_
