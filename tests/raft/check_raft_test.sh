#!/usr/bin/env bash
# What check-raft promises: the same seed is the same schedule in another process, a planted bug is told with the line
# that replays it, and the script it is made into violates the same.
set -euo pipefail
check_raft=tests/raft/check-raft
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "not so: $1"; exit 1; }
exits() {  # $1: the exit code wanted; $2...: the command
  local want=$1 status=0
  shift
  "$@" >"$work/out" 2>"$work/err" || status=$?
  [[ $status == "$want" ]] || { cat "$work/out" "$work/err"; fail "exit code $want of: $*, but $status"; }
}

exits 0 "$check_raft" --seed=7
cp "$work/out" "$work/first"
exits 0 "$check_raft" --seed=7
cmp -s "$work/out" "$work/first" || fail 'a seed is the same schedule in every process'

exits 0 "$check_raft" --schedules=20 --first=5 --json
grep -q '"name": "raft.schedules.per_s", "value": [0-9]' "$work/out" || fail 'the speed is a figure'
grep -q '"name": "raft.violations.count", "value": 0,' "$work/out" || fail 'the violations are a figure'

exits 1 "$check_raft" --schedules=200 --mutant=kVoteForgotten
replay=$(grep -m 1 -o -e '--seed=[0-9]*' "$work/err") || fail 'a violation is told with its seed'
grep -qF -- "./run check-raft $replay --mutant=kVoteForgotten" "$work/err" || fail 'a violation is told with its command'
exits 1 "$check_raft" "$replay" --mutant=kVoteForgotten
violated=$(grep '^violated: ' "$work/out") || fail 'a replay tells the violation'
sed -n '/^# .*made small/,$p' "$work/out" >"$work/script"
exits 1 "$check_raft" --script="$work/script" --mutant=kVoteForgotten
grep -qF -- "${violated%%:*}" "$work/out" || fail 'a script violates what its seed did'
exits 0 "$check_raft" --script="$work/script"

exits 2 "$check_raft" --schedule=3
exits 2 "$check_raft" --mutants=3
exits 2 "$check_raft" --mutant=kNothing
exits 2 "$check_raft" --script="$work/none"
