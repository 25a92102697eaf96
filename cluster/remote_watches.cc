// RemoteActors' other half: who watches whom, and nodes that come and go.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cluster/remote_actors.h"
#include "cluster/remote_cell.h"
#include "cluster/wire_status.h"

namespace troupe {
namespace {

constexpr size_t kMaxWatchesOfPeers = 65536;
// A watch is renewed once in so many ticks also when no loss was noticed here: the other end may have lost the notice,
// or have held this node for dead for a while.
constexpr uint64_t kTicksPerRenewal = 16;

}  // namespace

void RemoteActors::OnWatch(const std::string& peer, const internal::v1::Watch& watch) {
  const uint64_t actor = watch.actor().actor();
  std::shared_ptr<LocalCell> cell = IsForThisRun(watch.actor()) ? system_.Find(ActorId{actor}) : nullptr;
  if (watch.unwatch()) {
    std::shared_ptr<WatchProxy> proxy;
    {
      std::lock_guard lock(mutex_);
      auto found = watch_proxies_.find({peer, actor});
      if (found == watch_proxies_.end()) return;
      proxy = std::move(found->second);
      watch_proxies_.erase(found);
    }
    if (cell != nullptr) cell->RemoveWatcher(proxy->id());
    return;
  }
  if (cell == nullptr) {
    internal::v1::ActorFrame frame = NewFrame();
    *frame.mutable_terminated()->mutable_actor() = watch.actor();
    // How it ended is not remembered.
    frame.mutable_terminated()->set_code(static_cast<int32_t>(absl::StatusCode::kUnavailable));
    frame.mutable_terminated()->set_message("it had terminated when the watch came");
    return SendFrame(peer, frame);
  }
  std::shared_ptr<WatchProxy> proxy;
  {
    std::lock_guard lock(mutex_);
    auto entry = watch_proxies_.find({peer, actor});
    // One that is there already will tell, or has told: then it is asked to tell again.
    if (entry != watch_proxies_.end()) {
      proxy = entry->second;
    } else if (watch_proxies_.size() < kMaxWatchesOfPeers) {
      proxy = std::make_shared<WatchProxy>(*this, NewId(), peer, actor);
      watch_proxies_.emplace(WatchKey{peer, actor}, proxy);
    }
  }
  if (proxy == nullptr) {
    return SendTerminated(peer, actor, absl::ResourceExhaustedError("too many actors are watched from other nodes"));
  }
  cell->AddWatcher(proxy);
}

void RemoteActors::SendTerminated(const std::string& peer, uint64_t actor, const absl::Status& reason) {
  {
    std::lock_guard lock(mutex_);
    watch_proxies_.erase({peer, actor});
  }
  internal::v1::ActorFrame frame = NewFrame();
  internal::v1::WatchedTerminated& terminated = *frame.mutable_terminated();
  terminated.mutable_actor()->set_actor(actor);
  terminated.mutable_actor()->set_node_id(frame.from_id());
  terminated.mutable_actor()->set_generation(frame.from_generation());
  terminated.set_code(static_cast<int32_t>(reason.code()));
  terminated.set_message(ToWireText(reason.message()));
  SendFrame(peer, frame);
}

void RemoteActors::OnTerminated(const std::string& peer, const internal::v1::WatchedTerminated& terminated) {
  const internal::v1::ActorRef& ref = terminated.actor();
  std::shared_ptr<RemoteCell> cell;
  {
    std::lock_guard lock(mutex_);
    auto found = cells_.find({ref.node_id(), ref.generation(), ref.actor()});
    if (found != cells_.end()) cell = found->second.lock();
  }
  if (cell == nullptr || cell->node().address != peer) return;
  const absl::Status reason =
      terminated.code() == 0 ? absl::OkStatus() : FromWireStatus(terminated.code(), terminated.message());
  // Either its failure, and then the next message finds out that it is gone, or there are too many watches.
  if (absl::IsResourceExhausted(reason)) return cell->EndWatches(reason);
  cell->OnTerminated(reason);
}

// Nodes that come and go.

void RemoteActors::OnDead(const swim::Node& node) {
  std::vector<std::shared_ptr<RemoteCell>> cells;
  std::vector<std::shared_ptr<WatchProxy>> proxies;
  {
    std::lock_guard lock(mutex_);
    auto latest = latest_.find(node.name);
    if (latest != latest_.end() && latest->second > node.generation) return;
    dead_.insert(node.name);
    for (const auto& [key, known] : cells_) {
      std::shared_ptr<RemoteCell> cell = known.lock();
      if (cell != nullptr) cells.push_back(std::move(cell));
    }
    for (auto it = watch_proxies_.begin(); it != watch_proxies_.end();) {
      if (it->first.first != node.address) {
        ++it;
        continue;
      }
      proxies.push_back(std::move(it->second));
      it = watch_proxies_.erase(it);
    }
  }
  for (const auto& cell : cells) {
    if (cell->node().name != node.name) continue;
    cell->EndWatches(absl::UnavailableError(absl::StrCat("node ", node.name, " is dead")));
  }
  for (const auto& proxy : proxies) {
    if (auto cell = system_.Find(ActorId{proxy->actor()})) cell->RemoveWatcher(proxy->id());
  }
}

void RemoteActors::OnAlive(const swim::Node& node) {
  std::vector<std::shared_ptr<RemoteCell>> cells;
  {
    std::lock_guard lock(mutex_);
    dead_.erase(node.name);
    uint64_t& latest = latest_[node.name];
    if (std::exchange(latest, node.generation) == node.generation) return;
    for (const auto& [key, known] : cells_) {
      std::shared_ptr<RemoteCell> cell = known.lock();
      if (cell != nullptr) cells.push_back(std::move(cell));
    }
  }
  for (const auto& cell : cells) {
    if (cell->node().name != node.name || cell->node().generation >= node.generation) continue;
    cell->OnTerminated(absl::UnavailableError(absl::StrCat("node ", node.name, " has restarted since")));
  }
}

void RemoteActors::OnForgotten(const std::string& name) {
  std::lock_guard lock(mutex_);
  latest_.erase(name);
  dead_.erase(name);
}

void RemoteActors::Tick() {
  const Instant now = system_.executor().Now();
  std::vector<std::shared_ptr<RemoteCell>> cells;
  std::vector<Question> expired;
  std::set<std::string> shaken;
  uint64_t tick = 0;
  {
    std::lock_guard lock(mutex_);
    tick = ++ticks_;
    shaken.swap(shaken_);
    for (auto it = questions_.begin(); it != questions_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second));
      it = questions_.erase(it);
    }
    for (auto it = cells_.begin(); it != cells_.end();) {
      std::shared_ptr<RemoteCell> cell = it->second.lock();
      if (cell == nullptr) {
        it = cells_.erase(it);
        continue;
      }
      cells.push_back(std::move(cell));
      ++it;
    }
  }
  for (const auto& cell : cells) {
    const bool its_turn = (cell->actor() + tick) % kTicksPerRenewal == 0;
    if (its_turn || shaken.contains(cell->node().address)) cell->RenewWatch();
  }
  // Most have been told by their own clock.
  for (Question& question : expired) question.reply(absl::DeadlineExceededError("no answer before the deadline"));
}

}  // namespace troupe
