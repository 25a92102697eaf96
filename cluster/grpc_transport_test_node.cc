#include "cluster/grpc_transport_test_node.h"

#include <grpcpp/grpcpp.h>

namespace troupe {

TestNode::TestNode(int port, Hook hook, std::string advertised) : hook_(std::move(hook)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  transport_.AddTo(builder);
  server_ = builder.BuildAndStart();
  CHECK(server_ != nullptr && port_ != 0);
  address_ = advertised.empty() ? absl::StrCat("127.0.0.1:", port_) : std::move(advertised);
  transport_.SetAddress(address_);
  transport_.Start(*this);
}

TestNode::~TestNode() { End(); }

void TestNode::End() {
  if (server_ == nullptr) return;
  transport_.Stop();
  server_->Shutdown(std::chrono::system_clock::now());
  transport_.Drain();
  server_ = nullptr;
}

}  // namespace troupe
