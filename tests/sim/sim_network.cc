#include "tests/sim/sim_network.h"

#include <vector>

#include "absl/strings/str_cat.h"

namespace troupe::sim {
namespace {

constexpr Duration kRefusal = absl::Milliseconds(1);
constexpr Duration kRetry = absl::Milliseconds(100);

uint64_t HashOf(std::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325;
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3;
  return hash;
}

}  // namespace

class SimNetwork::NodeTransport final : public Transport {
 public:
  NodeTransport(SimNetwork& network, std::string address) : network_(network), address_(std::move(address)) {}
  ~NodeTransport() override { Stop(); }

  void Start(FrameReceiver& receiver) override {
    receiver_ = &receiver;
    network_.up_[address_] = this;
  }
  void Stop() override {
    if (receiver_ == nullptr) return;
    receiver_ = nullptr;
    network_.up_.erase(address_);
    network_.BreakAll(address_, "", "the connection was reset");
  }
  absl::StatusOr<uint64_t> Send(const std::string& peer, Lane lane, std::string frame) override {
    if (receiver_ == nullptr) return absl::UnavailableError("this node has stopped");
    if (frame.size() > kMaxFrameBytes) return absl::ResourceExhaustedError("the frame is too large");
    if (lane == Lane::kControl) return network_.SendDatagram(address_, peer, std::move(frame));
    return network_.SendOrdered({address_, peer, lane}, std::move(frame));
  }
  void Disconnect(const std::string& peer) override { network_.BreakAll(address_, peer, "it was closed"); }

  FrameReceiver* receiver() { return receiver_; }

 private:
  SimNetwork& network_;
  const std::string address_;
  FrameReceiver* receiver_ = nullptr;
};

std::unique_ptr<Transport> SimNetwork::NewTransport(std::string address) {
  return std::make_unique<NodeTransport>(*this, std::move(address));
}

SimNetwork::NodeTransport* SimNetwork::Find(const std::string& address) {
  auto found = up_.find(address);
  return found == up_.end() ? nullptr : found->second;
}

Duration SimNetwork::Delay() {
  const uint64_t spread = static_cast<uint64_t>(absl::ToInt64Nanoseconds(model_.delay_max - model_.delay_min));
  return model_.delay_min + absl::Nanoseconds(static_cast<int64_t>(chance_.Below(spread + 1)));
}

uint64_t SimNetwork::SendDatagram(const std::string& from, const std::string& to, std::string frame) {
  if (IsCut(from, to) || chance_.PerMille(model_.loss)) return 0;
  simulator_.At(simulator_.Now() + Delay(), /*node=*/0, Simulator::Kind::kEvent,
                [this, from, to, frame = std::move(frame)]() mutable {
                  NodeTransport* receiver = Find(to);
                  if (receiver == nullptr || IsCut(from, to)) return;
                  simulator_.Note(0, HashOf(frame));
                  receiver->receiver()->OnFrame(from, Lane::kControl, std::move(frame));
                });
  return 0;
}

uint64_t SimNetwork::SendOrdered(const ChannelKey& key, std::string frame) {
  Channel& channel = channels_[key];
  channel.in_flight.emplace_back(++channel.last_number, std::move(frame));
  const uint64_t number = channel.last_number;
  if (!channel.pumping) PumpAfter(key, Delay());
  return number;
}

void SimNetwork::PumpAfter(const ChannelKey& key, Duration delay) {
  channels_[key].pumping = true;
  simulator_.At(simulator_.Now() + delay, /*node=*/0, Simulator::Kind::kEvent, [this, key] { Pump(key); });
}

void SimNetwork::Pump(const ChannelKey& key) {
  const auto& [from, to, lane] = key;
  Channel& channel = channels_[key];
  channel.pumping = false;
  if (channel.in_flight.empty() || Find(from) == nullptr) return;
  NodeTransport* receiver = Find(to);
  // What a connection carries needs both directions.
  if (IsCut(from, to) || IsCut(to, from)) {
    if (channel.stalled_since == Instant::Never()) channel.stalled_since = simulator_.Now();
    if (simulator_.Now() - channel.stalled_since < model_.patience) return PumpAfter(key, kRetry);
    return Break(key, "no answer");
  }
  channel.stalled_since = Instant::Never();
  if (receiver == nullptr) return Break(key, "connection refused");
  channel.connected = true;
  std::string frame = std::move(channel.in_flight.front().second);
  channel.in_flight.pop_front();
  if (!channel.in_flight.empty()) PumpAfter(key, absl::Microseconds(static_cast<int64_t>(1 + chance_.Below(50))));
  simulator_.Note(0, HashOf(frame));
  receiver->receiver()->OnFrame(from, lane, std::move(frame));
}

void SimNetwork::Break(const ChannelKey& key, const std::string& why) {
  const auto& [from, to, lane] = key;
  Channel& channel = channels_[key];
  const bool was_connected = std::exchange(channel.connected, false);
  channel.stalled_since = Instant::Never();
  const uint64_t first = channel.in_flight.empty() ? channel.last_number + 1 : channel.in_flight.front().first;
  channel.in_flight.clear();
  // What was on the way of a connection has left; who knows how far it came.
  FrameLoss loss{.through = channel.last_number,
                 .first_unsent = was_connected ? channel.last_number + 1 : first,
                 .reason = absl::UnavailableError(absl::StrCat(to, " cannot be reached: ", why))};
  simulator_.At(simulator_.Now() + kRefusal, /*node=*/0, Simulator::Kind::kEvent, [this, key, loss] {
    const auto& [sender, peer, on_lane] = key;
    if (NodeTransport* transport = Find(sender)) transport->receiver()->OnLost(peer, on_lane, loss);
  });
}

void SimNetwork::BreakAll(const std::string& one, const std::string& other, const std::string& why) {
  std::vector<ChannelKey> broken;
  for (const auto& [key, channel] : channels_) {
    const auto& [from, to, lane] = key;
    if (!channel.connected && channel.in_flight.empty()) continue;
    const bool concerned =
        (from == one && (other.empty() || to == other)) || (to == one && (other.empty() || from == other));
    if (concerned) broken.push_back(key);
  }
  for (const ChannelKey& key : broken) Break(key, why);
}

}  // namespace troupe::sim
