# shellcheck shell=bash disable=SC2154  # what it misses is in ./run, which reads this file
# Checks and Bazel's tests, counted: each check, each test case and each script is one.

passed=0 failed=0

verdict() { if (($1 == 0)); then echo ok; else echo FAILED; fi; }

# Counts the command "$2"... as one test with the name $1.
check() {
  local name=$1
  shift
  if "$@" >.troupe/check.log 2>&1 </dev/null; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED  check %s\n' "$name"
    head -n 40 .troupe/check.log | sed 's/^/    /'
    echo '  run it again: ./run test checks'
  fi
}

check_format() { find "${layers[@]}" -name '*.h' -o -name '*.cc' | sort | xargs clang-format-14 --dry-run -Werror; }
check_shellcheck() { find run .ci/run "${layers[@]}" -name '*.sh' -o -name run | sort | xargs shellcheck; }

checks() {
  begin checks
  local failed_before=$failed
  check format check_format
  check shellcheck check_shellcheck
  check layering tests/layering_test.sh
  check run tests/tools/run_test.sh
  finish "$(verdict $((failed - failed_before)))" 'format, scripts, layering'
}

# After bazel_tests, which builds what the README's commands run.
readme() {
  local failed_before=$failed
  begin readme
  check readme tests/readme_test.py
  finish "$(verdict $((failed - failed_before)))" 'its commands, its example, its links'
}

# bazel test in the configuration $2 (named $1 in the progress) with the arguments "$3"...; counts each test case.
bazel_tests() {
  local name=$1 config=$2 status=0 counts
  local log=.troupe/$name.log events=.troupe/$name.events.json
  shift 2
  begin "$name"
  rm -f "$events"
  run_bazel "$log" test --config="$config" --keep_going --test_output=summary --build_event_json_file="$events" "$@" ||
    status=$?
  # 3: a test failed; 4: nothing to test. Both are told apart from the events.
  if ((status != 0 && status != 3 && status != 4)); then
    grep -E -A 12 '^ERROR|error:' "$log" | head -n 60 || tail -n 40 "$log"
    say "the whole log is $log"
  fi
  counts=.troupe/$name.counts
  python3 tests/tools/report.py --config="$config" --events="$events" --bazel-status="$status" --counts="$counts"
  local case_passed case_failed summary
  { read -r case_passed case_failed && read -r summary; } <"$counts"
  passed=$((passed + case_passed)) failed=$((failed + case_failed))
  finish "$(verdict "$case_failed")" "$summary"
}

# How many of the lines of the folder $1 its tests run; one check, which wants $2 percent at least.
coverage() {
  local log=.troupe/coverage.log status=0
  local command=(tests/tools/coverage.py "$1" "--least=$2")
  begin coverage
  "${command[@]}" >"$log" 2>&1 </dev/null || status=$?
  if ((status == 0)); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo 'FAILED  coverage'
    head -n 60 "$log" | sed 's/^/    /'
    echo "  run it again: ${command[*]}"
  fi
  finish "$(verdict "$status")" "$(head -n 1 "$log")"
}

result() {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0))
}
