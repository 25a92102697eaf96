#!/usr/bin/env bash
# troupe-bench from end to end, short: every figure is there once, stdout holds nothing else, and nothing stays behind.
set -euo pipefail

readonly bench=$1
export TMPDIR=${TEST_TMPDIR:-/tmp}/bench
mkdir -p "$TMPDIR"

fail() { echo "FAILED: $1" >&2; exit 1; }

nothing_left() {
  local left
  left=$(ls -A "$TMPDIR")
  [[ -z $left ]] || fail "$1 left $left"
}

"$bench" kv --json --seconds=0.2 --runs=1 >figures.jsonl || fail "the benchmark exited with $?"
nothing_left 'the benchmark'
python3 - figures.jsonl <<'PYTHON'
import json, sys

names = {"machine", "noise.cpu_percent", "errors", "kv.set.c1.ratio_to_fsync", "kv.set.c64.ratio_to_fsync",
         "kv.get.c1.ratio_to_echo", "kv.get.c64.ratio_to_echo"}
for case in ["disk.fdatasync_append"] + [c + n for c in ("grpc.echo", "kv.get", "kv.set") for n in (".c1", ".c64")]:
    names |= {case + figure for figure in (".ops_per_s", ".p50_us", ".p99_us", ".noise_cpu_percent")}
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines[0]["name"] == "machine", lines[0]
assert sorted(line["name"] for line in lines) == sorted(names), lines
for line in lines[1:]:
    value = line["value"]
    noise = "noise" in line["name"]
    assert line["unit"] and (value >= 0 if noise else value == 0 if line["name"] == "errors" else value > 0), line
    assert noise or line.get("min", value) <= value <= line.get("max", value), line
PYTHON

"$bench" raft --json --seconds=0.1 --runs=1 >raft.jsonl || fail "the benchmark of the core exited with $?"
python3 - raft.jsonl <<'PYTHON'
import json, sys

lines = [json.loads(line) for line in open(sys.argv[1])]
assert [line["name"] for line in lines] == ["machine"] + ["raft." + figure for figure in (
    "entry.us", "entry_alone.us", "idle.bytes", "tick.ns", "leader_tick.ns")], lines
assert all(line["value"] > 0 and line["unit"] for line in lines[1:]), lines
PYTHON

"$bench" actors --json --quick >actors.jsonl || fail "the benchmark of the actors exited with $?"
python3 - actors.jsonl <<'PYTHON'
import json, sys

both = ["idle.bytes", "ping_pong.ns", "ring.ns", "counting_1.per_s", "counting_8.per_s", "spawn_stop.per_s", "ask.us",
        "ask_outside.us", "ask_outside_sparse.us", "fork_join_create.per_s", "fork_join_throughput.per_s", "big.per_s",
        "chameneos.meetings_per_s", "dictionary.per_s", "skynet.ms", "fan_out_in.per_s", "timers.per_s",
        "topic_1_1.per_s", "topic_1_32.per_s", "topic_8_1.per_s", "topic_8_32.per_s", "back_pressure.per_s",
        "ask_under_load.p999_us"]
alone = ["speedup.ratio", "speedup_half_us.ratio", "speedup_50us.ratio", "ping_pong_across.ns"]
may_be_zero = ["idle_cpu.percent", "idle_cpu.percent.w1", "noise.cpu_percent"]
names = ["machine"] + ["actors." + figure for figure in both + [f + ".w1" for f in both] + alone + may_be_zero]
lines = [json.loads(line) for line in open(sys.argv[1])]
assert sorted(line["name"] for line in lines) == sorted(names), lines
for line in lines[1:]:
    assert line["unit"], line
    assert line["value"] > 0 or line["name"].removeprefix("actors.") in may_be_zero, line
PYTHON

# Interrupted early, in the middle of a start or of the first calls: it still cleans up.
"$bench" kv --seconds=60 >interrupted.out 2>interrupted.err &
pid=$!
until compgen -G "$TMPDIR/*/n1" >/dev/null; do
  kill -0 "$pid" 2>/dev/null || fail "the benchmark ended before its node began: $(cat interrupted.err)"
  sleep 0.05
done
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[[ $status -eq 130 ]] || fail "an interrupted benchmark exited with $status: $(cat interrupted.err)"
[[ ! -s interrupted.out ]] || fail 'an interrupted benchmark printed figures'
nothing_left 'an interrupted benchmark'

status=0
"$bench" kv --no-such-flag 2>usage.err || status=$?
[[ $status -eq 2 ]] || fail "a wrong flag exited with $status"
status=0
"$bench" kv --endpoint=127.0.0.1:1 2>nobody.err || status=$?
[[ $status -eq 1 ]] || fail "nobody at the endpoint exited with $status"
grep -q 'nothing answers at 127.0.0.1:1' nobody.err || fail "nobody at the endpoint was told as $(cat nobody.err)"
