#include "cluster/registry_wire.h"

#include "actor/random.h"
#include "gtest/gtest.h"

namespace troupe {
namespace {

const RegistryOwner kOwner{"n1", std::string(32, '1'), 7};
const RegistryOwner kOther{"n2", std::string(32, '2'), 9};

const std::vector<OwnerDigest> kDigest = {{kOwner, 12, 3}, {kOther, 0, UINT64_MAX}};
const std::vector<RegistryDelta> kDeltas = {
    {kOwner, 4, 3, {{"polly", 5, false, 17, "troupe::Parrot", 99}, {"coco", 6, true, 0, "", 0}}}, {kOther, 8, 8, {}}};

internal::v1::RegistryDigest DigestProto() {
  internal::v1::RegistryDigest proto;
  ToProto(kDigest, proto);
  return proto;
}

internal::v1::RegistryDeltas DeltasProto() {
  internal::v1::RegistryDeltas proto;
  ToProto(kDeltas, proto);
  return proto;
}

template <typename Proto>
Proto OverTheWire(const Proto& proto) {
  Proto copy;
  EXPECT_TRUE(copy.ParseFromString(proto.SerializeAsString()));
  return copy;
}

TEST(RegistryWireTest, DigestsComeBackAsTheyWere) { EXPECT_EQ(FromProto(OverTheWire(DigestProto())), kDigest); }

TEST(RegistryWireTest, DeltasComeBackAsTheyWere) {
  const std::vector<RegistryDelta> read = FromProto(OverTheWire(DeltasProto()));
  ASSERT_EQ(read.size(), kDeltas.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].owner, kDeltas[i].owner);
    EXPECT_EQ(read[i].from_version, kDeltas[i].from_version);
    EXPECT_EQ(read[i].gc_version, kDeltas[i].gc_version);
    EXPECT_EQ(read[i].entries, kDeltas[i].entries);
  }
}

TEST(RegistryWireTest, TheSizesThatBudgetsCountWithAreNoSmallerThanTheBytes) {
  RegistryDelta delta{kOther, UINT64_MAX, UINT64_MAX, {}};
  size_t budgeted = WireBytes(delta.owner);
  for (int i = 0; i < 100; ++i) {
    delta.entries.push_back({std::string(255, 'n'), UINT64_MAX, true, UINT64_MAX, std::string(255, 't'), UINT64_MAX});
    budgeted += WireBytes(delta.entries.back());
  }
  internal::v1::RegistryDeltas proto;
  ToProto({delta}, proto);
  EXPECT_LE(proto.ByteSizeLong(), budgeted);
}

// Cut off or changed bytes: read or refused, and a registry takes what was read or counts it.
TEST(RegistryWireTest, WhateverTheBytesAreARegistryLivesOn) {
  const std::string digest = DigestProto().SerializeAsString();
  const std::string deltas = DeltasProto().SerializeAsString();
  Registry registry({"n3", std::string(32, '3'), 1});
  ASSERT_TRUE(registry.Claim("polly", 1, "troupe::Parrot", Instant()).ok());
  size_t read = 0;
  size_t refused = 0;
  auto take = [&](const std::string& bytes) {
    internal::v1::RegistryDigest digest_in;
    internal::v1::RegistryDeltas deltas_in;
    bool parsed = false;
    if (digest_in.ParseFromString(bytes)) {
      parsed = true;
      (void)registry.DeltasFor(FromProto(digest_in), 1 << 16);
    }
    if (deltas_in.ParseFromString(bytes)) {
      parsed = true;
      for (const RegistryDelta& delta : FromProto(deltas_in)) registry.Apply(delta);
    }
    ++(parsed ? read : refused);
  };
  for (size_t length = 0; length <= digest.size(); ++length) take(digest.substr(0, length));
  for (size_t length = 0; length <= deltas.size(); ++length) take(deltas.substr(0, length));
  Random chance(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = chance.PerMille(500) ? digest : deltas;
    for (uint64_t change = 0; change <= chance.Below(4); ++change) {
      bytes[chance.Below(bytes.size())] = static_cast<char>(chance.Below(256));
    }
    take(bytes);
  }
  EXPECT_GT(read, 1000u);
  EXPECT_GT(refused, 1000u);
  const auto own = registry.Lookup("polly", [](const RegistryOwner& owner) { return owner.node == "n3"; });
  EXPECT_TRUE(own.found.has_value());
}

}  // namespace
}  // namespace troupe
