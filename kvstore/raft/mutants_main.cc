// The directed tests over a core with a bug planted: the first argument is its number. They must fail.
#include <cstdio>
#include <cstdlib>

#include "gtest/gtest.h"
#include "kvstore/raft/mutants.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::printf("%d\n", static_cast<int>(troupe::raft::Mutant::kStepDownKeepsLeading));
    return 0;
  }
  troupe::raft::planted_mutant = static_cast<troupe::raft::Mutant>(std::atoi(argv[1]));
  return RUN_ALL_TESTS();
}
