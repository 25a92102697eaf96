// Each of Debian's packages that the product links is found, links, and is the version that the design was
// tried with. When this test is red nothing else is worth reading.
#include <glog/logging.h>
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <rocksdb/db.h>
#include <rocksdb/version.h>
#include <xxhash.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

TEST(PackagesTest, AbseilCarriesAStatus) {
  absl::StatusOr<int> failed = absl::NotFoundError(absl::StrCat("key ", 7));
  EXPECT_THAT(std::string(failed.status().message()), testing::HasSubstr("key 7"));
}

TEST(PackagesTest, GlogChecks) { EXPECT_DEATH(CHECK_EQ(1, 2) << "broken promise", "broken promise"); }

TEST(PackagesTest, GrpcIsTheVersionOfDebian12) { EXPECT_EQ(grpc::Version(), "1.51.1"); }

TEST(PackagesTest, RocksDbReadsWhatItWrote) {
  EXPECT_EQ(rocksdb::GetRocksVersionAsString(), "7.8.3");
  std::string directory = absl::StrCat(std::getenv("TEST_TMPDIR"), "/db");
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, directory, &raw).ok());
  std::unique_ptr<rocksdb::DB> db(raw);
  ASSERT_TRUE(db->Put({}, "k", "v").ok());
  std::string value;
  ASSERT_TRUE(db->Get({}, "k", &value).ok());
  EXPECT_EQ(value, "v");
}

TEST(PackagesTest, XxhashIsTheSameFunctionForEver) { EXPECT_EQ(XXH3_64bits("user:1", 6), XXH3_64bits("user:1", 6)); }
