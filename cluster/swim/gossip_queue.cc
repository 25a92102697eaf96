#include "cluster/swim/gossip_queue.h"

#include <algorithm>
#include <cmath>

namespace troupe::swim {

int RetransmitLimit(int lambda, size_t members) {
  return lambda * static_cast<int>(std::ceil(std::log10(static_cast<double>(members) + 1)));
}

void GossipQueue::Put(const Update& update, Urgency urgency) {
  auto first = items_.lower_bound({update.node.name, ""});
  bool joins_others = update.state == State::kSuspect && first != items_.end() &&
                      first->first.first == update.node.name && first->second.update.state == State::kSuspect &&
                      first->second.update.node == update.node &&
                      first->second.update.incarnation == update.incarnation;
  if (!joins_others) Erase(update.node.name);
  Key key{update.node.name, update.state == State::kSuspect ? update.from : ""};
  auto [at, is_new] = items_.try_emplace(std::move(key), Item{update, urgency, 0, next_age_});
  if (!is_new) return;
  order(urgency).emplace(Rank(0, next_age_--), at->first);
}

void GossipQueue::Erase(const std::string& name) {
  auto at = items_.lower_bound({name, ""});
  while (at != items_.end() && at->first.first == name) {
    const Item& item = at->second;
    order(item.urgency).erase(Rank(item.told, item.age));
    at = items_.erase(at);
  }
}

std::vector<Update> GossipQueue::Take(size_t count, int limit) {
  std::vector<std::pair<Rank, Key>> chosen;
  auto urgent = urgent_.begin();
  auto ordinary = ordinary_.begin();
  const size_t reserved = (count + 3) / 4;
  while (chosen.size() < count && (urgent != urgent_.end() || ordinary != ordinary_.end())) {
    bool take_urgent = urgent != urgent_.end() &&
                       (chosen.size() < reserved || ordinary == ordinary_.end() || urgent->first < ordinary->first);
    chosen.push_back(take_urgent ? *urgent++ : *ordinary++);
  }
  std::vector<Update> updates;
  for (const auto& [rank, key] : chosen) {
    auto at = items_.find(key);
    Item& item = at->second;
    updates.push_back(item.update);
    std::map<Rank, Key>& ranks = order(item.urgency);
    ranks.erase(rank);
    if (++item.told >= limit) {
      items_.erase(at);
    } else {
      ranks.emplace(Rank(item.told, item.age), key);
    }
  }
  return updates;
}

}  // namespace troupe::swim
