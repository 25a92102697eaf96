#include "tests/sim/sim_cluster.h"

#include <glog/logging.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace troupe::sim {
namespace {

constexpr Duration kRequestTimeout = absl::Seconds(5);

uint64_t HashOf(std::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325;
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3;
  return hash;
}

// As it arrives at the other end of a connection.
template <typename Message>
Message OverTheWire(const Message& message) {
  Message copy;
  copy.ParseFromString(message.SerializeAsString());
  return copy;
}

}  // namespace

SimCluster::SimCluster(uint64_t seed) : simulator_(seed), network_(simulator_) {
  // What nodes say of each other would bury what a test says.
  FLAGS_minloglevel = google::FATAL;
}

SimCluster::~SimCluster() {
  for (auto& [name, machine] : machines_) machine.node.reset();
}

void SimCluster::Start(const std::string& name) {
  auto [entry, is_new] = machines_.try_emplace(name);
  Machine& machine = entry->second;
  if (is_new) {
    machine.number = static_cast<uint32_t>(machines_.size());
    if (machine.number == 1) {
      machine.memory.cluster_id = std::string(32, 'c');
      machine.disk = std::make_shared<MemoryDisk>();
    }
  }
  if (machine.node != nullptr) return;
  ++machine.run;
  ++machine.memory.generation;
  machine.refused.clear();
  // Each run has its own streams of chance: what a first run drew does not shift the second's.
  const Random random = simulator_.StreamFor(absl::StrCat(name, " run ", machine.run));
  machine.executor = std::make_unique<DeterministicExecutor>(simulator_, machine.number);
  if (machine.disk != nullptr) machine.storage = std::make_unique<MemoryStorage>(machine.disk);
  machine.transport = network_.NewTransport(AddressOf(name));
  std::vector<std::string> seeds = machine.memory.peers;
  for (const auto& [other, its_machine] : machines_) {
    if (machine.disk == nullptr && its_machine.number == 1) seeds.push_back(AddressOf(other));
  }
  // A process cannot end in the middle of its own turn here; it ends before anything else happens to it.
  auto end = [this, name] {
    simulator_.At(simulator_.Now(), /*node=*/0, Simulator::Kind::kEvent, [this, name] { Kill(name); });
  };
  machine.node = std::make_unique<Node>(NodeIdentity{.cluster_id = machine.memory.cluster_id,
                                                     .name = name,
                                                     .node_id = absl::StrCat(name, std::string(32 - name.size(), '0')),
                                                     .generation = machine.memory.generation,
                                                     .address = AddressOf(name)},
                                        seeds, NodeFacts{.version = "simulated", .started = simulator_.Now()},
                                        Env{*machine.executor, random, *machine.transport, machine.memory,
                                            machine.storage.get(), [end](const absl::Status&) { end(); },
                                            [end, &machine](const absl::Status& why) {
                                              machine.refused = std::string(why.message());
                                              end();
                                            }});
  machine.ready = std::make_shared<bool>(false);
  machine.node->Ready(kStartTimeout).Then([ready = machine.ready](absl::Status status) { *ready = status.ok(); });
}

bool SimCluster::ready(const std::string& name) {
  const Machine& machine = machines_[name];
  return machine.node != nullptr && *machine.ready;
}

void SimCluster::Isolate(const std::string& name) {
  for (const auto& [other, machine] : machines_) {
    network_.Cut(AddressOf(name), AddressOf(other));
    network_.Cut(AddressOf(other), AddressOf(name));
  }
}

std::string SimCluster::Members(const std::string& name) {
  static constexpr const char* kStates[] = {"alive", "suspect", "dead", "left"};
  if (!up(name)) return "";
  std::vector<std::string> members;
  for (const swim::Member& member : machines_[name].node->members()) {
    members.push_back(absl::StrCat(member.node.name, " ", kStates[static_cast<int>(member.state)]));
  }
  return absl::StrJoin(members, ", ");
}

bool SimCluster::AwaitMembers(const std::vector<std::string>& nodes, const std::string& view, Duration limit) {
  return simulator_.RunUntil(
      [&] {
        for (const std::string& node : nodes) {
          if (Members(node) != view) return false;
        }
        return true;
      },
      limit);
}

Node& SimCluster::ReadyNode(const std::string& name) {
  Machine& machine = machines_[name];
  simulator_.RunUntil([&] { return *machine.ready; }, kStartTimeout);
  return *machine.node;
}

void SimCluster::Kill(const std::string& name) {
  Machine& machine = machines_[name];
  machine.node.reset();
  machine.executor.reset();
  machine.storage.reset();
  machine.transport.reset();
}

void SimCluster::FailDisk(const std::string& name) {
  Machine& machine = machines_[name];
  if (machine.storage == nullptr) return;
  Random random = simulator_.StreamFor(absl::StrCat("disk of ", name, " run ", machine.run));
  machine.storage->FailNextCommit(
      absl::DataLossError("the simulated disk failed"),
      random.PerMille(500) ? MemoryStorage::FailedCommit::kLost : MemoryStorage::FailedCommit::kWritten);
}

bool SimCluster::up(const std::string& name) const {
  auto machine = machines_.find(name);
  return machine != machines_.end() && machine->second.node != nullptr;
}

Node* SimCluster::node(const std::string& name) { return machines_[name].node.get(); }

absl::StatusOr<kv::v1::SetResponse> SimCluster::Set(const std::string& node, const std::string& key,
                                                    const std::string& value) {
  kv::v1::SetRequest request;
  request.set_key(key);
  request.set_value(value);
  std::optional<absl::StatusOr<kv::v1::SetResponse>> answer;
  ReadyNode(node).kv().Set(OverTheWire(request), kRequestTimeout, [&](auto response) { answer = response; });
  simulator_.RunUntil([&] { return answer.has_value(); }, 2 * kRequestTimeout);
  return *answer;
}

std::string SimCluster::Get(const std::string& node, const std::string& key) {
  kv::v1::GetRequest request;
  request.set_key(key);
  std::optional<absl::StatusOr<kv::v1::GetResponse>> answer;
  ReadyNode(node).kv().Get(OverTheWire(request), kRequestTimeout, [&](auto response) { answer = response; });
  simulator_.RunUntil([&] { return answer.has_value(); }, 2 * kRequestTimeout);
  if (!answer->ok()) return absl::StrCat("<", absl::StatusCodeToString(answer->status().code()), ">");
  return (*answer)->value();
}

std::vector<Operation> SimCluster::Run(const Plan& plan) {
  const Instant start = simulator_.Now();
  size_t to_come = plan.size();
  for (const PlanLine& line : plan) {
    simulator_.At(start + line.at, /*node=*/0, Simulator::Kind::kEvent, [this, &line, &to_come] {
      --to_come;
      Do(line);
    });
  }
  simulator_.RunUntil([&] { return to_come == 0 && outstanding_ == 0; }, absl::Hours(24));
  return std::exchange(operations_, {});
}

void SimCluster::Do(const PlanLine& line) {
  if (line.verb == "start") return Start(line.node);
  if (line.verb == "kill") return Kill(line.node);
  if (line.verb == "fail-disk") return FailDisk(line.node);
  if (line.verb == "isolate") return Isolate(line.node);
  if (line.verb == "heal") return Heal();
  ++outstanding_;
  auto operation = std::make_shared<Operation>(Operation{.line = line, .called = simulator_.Now()});
  Machine& machine = machines_[line.node];
  const uint64_t run = machine.run;
  Finish finish = [this, operation, run](absl::Status status, uint64_t version, std::string result) {
    const Machine& machine = machines_[operation->line.node];
    operation->returned = simulator_.Now();
    operation->status = std::move(status);
    operation->version = version;
    operation->result = std::move(result);
    // Kill answers what is under way on its way out; nobody would have heard that of a process.
    operation->cut_off = machine.node == nullptr || machine.run != run;
    simulator_.Note(machine.number, HashOf(absl::StrCat(PrintPlan({operation->line}), operation->status.raw_code(),
                                                        operation->result)));
    operations_.push_back(*operation);
    --outstanding_;
  };
  if (machine.node == nullptr) return finish(absl::UnavailableError("connection refused"), 0, "");
  Request(*machine.node, line, std::move(finish));
}

void SimCluster::Request(Node& node, const PlanLine& line, Finish finish) {
  const std::string& key = line.arguments[0];
  if (line.verb == "get") {
    kv::v1::GetRequest request;
    request.set_key(key);
    node.kv().Get(OverTheWire(request), kRequestTimeout, [finish](absl::StatusOr<kv::v1::GetResponse> response) {
      if (!response.ok()) return finish(response.status(), 0, "");
      const kv::v1::GetResponse answer = OverTheWire(*response);
      finish(absl::OkStatus(), answer.version(), answer.value());
    });
  } else if (line.verb == "del") {
    kv::v1::DeleteRequest request;
    request.set_key(key);
    node.kv().Delete(OverTheWire(request), kRequestTimeout,
                     [finish](absl::StatusOr<kv::v1::DeleteResponse> response) { finish(response.status(), 0, ""); });
  } else if (line.verb == "list") {
    kv::v1::ListRequest request;
    request.set_prefix(key);
    node.kv().List(OverTheWire(request), kRequestTimeout, [finish](absl::StatusOr<kv::v1::ListResponse> response) {
      std::vector<std::string> entries;
      const kv::v1::ListResponse page = OverTheWire(response.value_or(kv::v1::ListResponse()));
      for (const kv::v1::Entry& entry : page.entries()) {
        entries.push_back(absl::StrCat(entry.key(), "=", entry.value()));
      }
      finish(response.status(), 0, absl::StrJoin(entries, " "));
    });
  } else {
    kv::v1::SetRequest request;
    request.set_key(key);
    request.set_value(line.arguments.back());
    if (line.verb == "cas") request.mutable_condition()->set_value(line.arguments[1]);
    node.kv().Set(OverTheWire(request), kRequestTimeout, [finish](absl::StatusOr<kv::v1::SetResponse> response) {
      finish(response.status(), response.ok() ? response->version() : 0, "");
    });
  }
}

}  // namespace troupe::sim
