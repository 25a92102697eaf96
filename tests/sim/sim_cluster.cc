#include "tests/sim/sim_cluster.h"

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

SimCluster::~SimCluster() {
  for (auto& [name, machine] : machines_) machine.node.reset();
}

void SimCluster::Start(const std::string& name) {
  auto [entry, is_new] = machines_.try_emplace(name);
  Machine& machine = entry->second;
  if (is_new) machine.number = static_cast<uint32_t>(machines_.size());
  if (machine.node != nullptr) return;
  ++machine.generation;
  // Each run has its own streams of chance: what a first run drew does not shift the second's.
  const Random random = simulator_.StreamFor(absl::StrCat(name, " run ", machine.generation));
  machine.executor = std::make_unique<DeterministicExecutor>(simulator_, machine.number);
  machine.storage = std::make_unique<MemoryStorage>(machine.disk);
  machine.node = std::make_unique<Node>(
      NodeIdentity{.cluster_id = "simulated", .name = name, .node_id = name, .generation = machine.generation},
      NodeFacts{.version = "simulated", .started = simulator_.Now()},
      Env{*machine.executor, random, transport_, *machine.storage, [this, name](const absl::Status&) {
            // A process cannot end in the middle of its own turn here; it ends before anything else happens to it.
            simulator_.At(simulator_.Now(), /*node=*/0, Simulator::Kind::kEvent, [this, name] { Kill(name); });
          }});
  machine.ready = std::make_shared<bool>(false);
  machine.node->Ready(absl::Minutes(1)).Then([ready = machine.ready](absl::Status status) { *ready = status.ok(); });
}

Node& SimCluster::ReadyNode(const std::string& name) {
  Machine& machine = machines_[name];
  simulator_.RunUntil([&] { return *machine.ready; }, absl::Minutes(1));
  return *machine.node;
}

void SimCluster::Kill(const std::string& name) {
  Machine& machine = machines_[name];
  machine.node.reset();
  machine.executor.reset();
  machine.storage.reset();
}

void SimCluster::FailDisk(const std::string& name) {
  Machine& machine = machines_[name];
  if (machine.storage == nullptr) return;
  Random random = simulator_.StreamFor(absl::StrCat("disk of ", name, " run ", machine.generation));
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
  ++outstanding_;
  auto operation = std::make_shared<Operation>(Operation{.line = line, .called = simulator_.Now()});
  Machine& machine = machines_[line.node];
  const uint64_t generation = machine.generation;
  Finish finish = [this, operation, generation](absl::Status status, uint64_t version, std::string result) {
    const Machine& machine = machines_[operation->line.node];
    operation->returned = simulator_.Now();
    operation->status = std::move(status);
    operation->version = version;
    operation->result = std::move(result);
    // Kill answers what is under way on its way out; nobody would have heard that of a process.
    operation->cut_off = machine.node == nullptr || machine.generation != generation;
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
