#!/usr/bin/env bash
# Every bug that can be planted in the core turns at least one directed test red, by itself.
#   mutants_test.sh DIRECTED_TESTS
# Else the planted bugs' failures would be counted as this test's own cases.
unset XML_OUTPUT_FILE GTEST_OUTPUT
set -u

readonly tests=$1
names=()
while read -r name; do names+=("$name"); done < <(sed -n '/^enum class Mutant/,/^};/s/^  \(k[A-Za-z]*\),.*/\1/p' kvstore/raft/mutants.h)
last=$("$tests")
if ((${#names[@]} != last + 1)); then
  echo "mutants.h names ${#names[@]}, the tests know $((last + 1))"
  exit 1
fi

if ! timeout 60 "$tests" 0 --gtest_brief=1 >out 2>&1; then
  cat out
  echo 'red without a bug'
  exit 1
fi
missed=0
for ((mutant = 1; mutant <= last; ++mutant)); do
  # Each test in its own process would be slow; a bug that ends the process ends the run, and has been found.
  (timeout 60 "$tests" "$mutant" --gtest_brief=1 --gtest_filter='-JunkTest.Honest*' >out 2>&1) 2>/dev/null
  status=$?
  if ((status == 0)); then
    echo "${names[mutant]}: MISSED"
    missed=$((missed + 1))
  else
    echo "${names[mutant]}: $(sed -n 's/^\[  FAILED  \] \([^ ]*\) (.*/\1/p' out | sort -u | head -3 | paste -sd' ')" \
      "$(grep -m1 -h 'Raft invariant broken' out)"
  fi
done
echo "$missed of $last missed"
((missed == 0))
