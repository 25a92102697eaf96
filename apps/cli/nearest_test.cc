#include "apps/cli/nearest.h"

#include <gtest/gtest.h>

namespace troupe {
namespace {

const std::vector<std::string> kWords = {"get",        "set",       "del",    "list",      "status",
                                         "--endpoint", "--timeout", "--name", "log-level", "data-dir"};

TEST(NearestTest, FindsWhatWasMeant) {
  struct Row {
    std::string_view word, nearest;
  };
  const Row rows[] = {
      {"gte", "get"},               // two letters swapped
      {"gett", "get"},              // one too many
      {"gt", "get"},                // one too few
      {"GET", "get"},               // case is no slip
      {"lst", "list"},              //
      {"sttaus", "status"},         //
      {"stat", "status"},           //
      {"--endpont", "--endpoint"},  //
      {"--end", "--endpoint"},      // a beginning, though five letters are missing
      {"log_level", "log-level"},   //
      {"data_dri", "data-dir"},     // two slips in eight letters
      {"zet", "get"},               // of equals, the first
  };
  for (const Row& row : rows) EXPECT_EQ(Nearest(row.word, kWords), row.nearest) << row.word;
}

TEST(NearestTest, IsEmptyWhenNothingIsNear) {
  for (std::string_view word : {"", "g", "banana", "--colour", "port"}) {
    EXPECT_EQ(Nearest(word, kWords), "") << word;
  }
  EXPECT_EQ(Nearest("get", {}), "");
  EXPECT_EQ(Nearest(std::string(1 << 20, 'x'), kWords), "");
}

}  // namespace
}  // namespace troupe
