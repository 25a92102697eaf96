#!/usr/bin/env bash
# Holds ./run to its promises with stand-ins for apt, Bazel, the node and the CLI: quick, and without a network.
set -euo pipefail

# A signal that the caller ignores, as nohup does with hangups, would be ignored by all that is started here too.
[[ -n ${SIGNALS_RESET:-} ]] || SIGNALS_RESET=yes exec env --default-signal=HUP,INT,TERM bash "${BASH_SOURCE[0]}" "$@"

house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
mkdir -p "$house"/{bin,apps,bazel-bin/apps,nodes,tmp,tests/tools}
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cp "$tools/count.sh" "$house/tests/tools/"
cp "$tools/../../run" "$house/run"
cp "$tools/../../apps/demo_nodes.sh" "$house/apps/"
cd "$house"
export TMPDIR=$house/tmp FOR_NODES=$house/nodes

# Only these programs are found: above all, no sudo unless a case brings it.
for tool in bash cat chmod cut dirname env flock getent grep kill ln mkdir mktemp rm sed setsid setpriv sleep sort tail \
  timeout tr; do
  ln -s "$(command -v "$tool")" "bin/$tool"
done
export PATH=$house/bin

stand_in() {  # writes the program $1 from stdin
  { echo '#!/usr/bin/env bash'; cat; } >"$1"
  chmod +x "$1"
}
# What starts before the CLI reads all of its input: were that the script's, the CLI would get nothing.
stand_in bin/bazel <<<'cat >/dev/null'
stand_in bin/dpkg-query <<<'shift 2; printf "%s installed\n" "$@"'
stand_in bin/apt-get <<<'echo "$*" >>apt.calls; [[ $* != *--print-uris* ]] || echo "'"'http://x/a.deb'"' a.deb 2500000 SHA256:0"'
stand_in bazel-bin/apps/troupe <<'CLI'
if [[ $2 == members ]]; then
  cat >/dev/null
  for pid in "$FOR_NODES"/*.pid; do echo '{"name":"x","state":"alive"}'; done
  exit
fi
if [[ ${CLI_KILLS:-} ]]; then "${2#--node-control=}" kill "$CLI_KILLS"; fi
if [[ ${CLI_STARTS:-} ]]; then "${2#--node-control=}" start "$CLI_STARTS"; fi
if [[ ${CLI_BREAKS:-} ]]; then kill -KILL "$(cat "$FOR_NODES/$CLI_BREAKS.pid")"; fi
echo $$ >"$FOR_NODES/cli"
[[ ! ${CLI_INTERRUPTED:-} ]] || kill -INT "$PPID" $$
cat
exit "${CLI_EXIT:-0}"
CLI
stand_in bazel-bin/apps/troupe-node <<'NODE'
name=${1#--name=}
echo "$*${TROUPE_JOIN:-} input: $(cat)"
[[ ${NODE_FAILS:-} != "$name" ]] || { echo 'error: no room' >&2; exit 1; }
mkdir -p "${3#--data-dir=}"
echo $$ >"$FOR_NODES/$name.pid"
echo $$ >>"$FOR_NODES/all"
[[ ${NODE_MUTE:-} == "$name" ]] || echo ready
trap 'echo stopped; exit 0' TERM
[[ ${NODE_STAYS:-} != "$name" ]] || trap : TERM
while :; do sleep 0.05; done
NODE

failures=0
expect() {  # $1: the claim; $2...: the command that must succeed
  local claim=$1
  shift
  "$@" || { echo "not so: $claim"; sed 's/^/  stdout: /' out; sed 's/^/  stderr: /' err; failures=$((failures + 1)); }
}
says() { grep -qF -- "$2" "$1"; }
call() { status=0; "$@" >out 2>err || status=$?; }
# shellcheck disable=SC2317  # called through expect
nodes_are_gone() {
  local pid
  while read -r pid; do
    # One that nobody has waited for yet has no command any more.
    ! grep -q . "/proc/$pid/cmdline" 2>/dev/null || return 1
  done < <(cat nodes/*)
}
# shellcheck disable=SC2317  # called through expect
nothing_is_left() { nodes_are_gone && [[ $(echo tmp/*) == 'tmp/*' ]]; }
starts() { grep -c '' nodes/all; }

call ./run help
expect 'help fits a screen' test "$status/$(grep -c '' out)" '<' 0/25
call ./run tset
expect 'a verb that is not is told the nearest' says err 'tset: no such verb; nearest: test'
expect 'a verb that is not is a usage error' test "$status" = 2
call ./run --yes demo --kep
expect 'a flag that is not is told the nearest' says err '--kep: no such flag of ./run demo; nearest: --keep'
expect 'a flag that is not is a usage error' test "$status" = 2
call ./run test kvstor:X
expect 'a suite that is not is told the nearest' says err 'kvstor: no such suite; nearest: kvstore'

call ./run demo --yes < <(printf 'set a 1\nget a\n')
expect 'stdout carries what the CLI printed, and the CLI gets all of the input' test "$(cat out)" = $'set a 1\nget a'
expect 'the demo exits as the CLI did' test "$status" = 0
expect 'three nodes are started' test "$(starts)" = 3
expect 'the demo leaves nothing behind' nothing_is_left
CLI_EXIT=3 call ./run demo </dev/null
expect 'the demo exits as the CLI did' test "$status" = 3
CLI_INTERRUPTED=yes call ./run demo </dev/null
expect 'Ctrl-C is for the CLI, and its exit code is the demo'"'"'s' test "$status" = 130
expect 'a demo that is interrupted leaves nothing behind' nothing_is_left

TROUPE_JOIN=' --join=x:1' call ./run demo --keep </dev/null
expect '--keep says where' says err "kept: $TMPDIR/troupe-demo."
expect '--keep keeps what the nodes printed' grep -q -- '--name=n1 --listen=127.0.0.1:71.* input: $' tmp/troupe-demo.*/n1.out
expect 'the first node joins nobody' test -z "$(grep -- --join tmp/troupe-demo.*/n1.out)"
expect 'the others join the first' grep -q -- "--join=$(cut -d' ' -f2 tmp/troupe-demo.*/cluster | sed q)" tmp/troupe-demo.*/n3.out
expect 'the nodes were asked to stop and did' test "$(cat tmp/troupe-demo.*/*.out | grep -c stopped)" = 3
expect 'the nodes are gone' nodes_are_gone
rm -rf tmp/* nodes/*

CLI_KILLS=n2 call ./run demo </dev/null
expect 'kill says what it did' says out 'n2 killed (SIGKILL); the others notice within 6 s'
expect 'a node that the user has killed is no error' test "$status" = 0
expect 'a node that the user has killed leaves nothing behind' nothing_is_left
rm -f nodes/*
CLI_KILLS=n1 CLI_STARTS=n1 call ./run demo --keep </dev/null
expect 'start says what it did' says out 'n1 started'
expect 'a node is started again with what it was told before' test "$status/$(starts)" = 0/4
expect 'the founder joins when it is started again' grep -q -- '--join=127.0.0.1:71' tmp/troupe-demo.*/n1.out
expect 'a node that was started again is stopped, too' nodes_are_gone
rm -rf tmp/* nodes/*
CLI_STARTS=n2 call ./run demo </dev/null
expect 'a node that runs is not started again' says err 'error: n2 runs already'
CLI_STARTS=n4 call ./run demo </dev/null
expect 'a node that is not is told the others' says err 'error: no such node: n4; there are: n1 n2 n3'
CLI_BREAKS=n3 call ./run demo </dev/null
expect 'a node that ends by itself is an error' says err 'n3 ended while it was in use; above is the end of the log of n3'
expect 'a node that ends by itself is an error' test "$status" = 1
expect 'a node that ends by itself leaves nothing behind' nothing_is_left

for node in n1 n3; do
  NODE_FAILS=$node call ./run demo </dev/null
  expect 'a node that does not start is an error' test "$status" = 1
  expect 'its log is shown' says err 'error: no room'
  expect 'it is named' says err "$node exited before it served"
  expect 'all that was there is gone' nothing_is_left
done

NODE_STAYS=n2 call ./run demo </dev/null
expect 'a node that does not stop is killed' nothing_is_left
expect 'a node that does not stop is told' says err 'n2 did not stop within 5 s and was killed'

mkfifo=$(PATH=/usr/bin:/bin command -v mkfifo)
"$mkfifo" typed
for signal in TERM HUP; do
  # What the demo before has said would pass for this one's.
  rm -f err
  ./run demo <typed >out 2>err &
  demo=$!
  exec 3>typed
  for ((wait = 0; wait < 200; wait++)); do
    ! says err 'Try:' || break
    sleep 0.05
  done
  kill -"$signal" "$demo"
  status=0
  wait "$demo" 2>/dev/null || status=$?
  # The CLI's input is still open.
  expect "a demo that gets SIG$signal stops its nodes and its CLI" nothing_is_left
  exec 3>&-
  expect "a demo that gets SIG$signal fails" test "$status" -gt 128
done

rm -f nodes/*
# By itself a job in the background ignores SIGINT.
NODE_MUTE=n1 env --default-signal=INT ./run demo </dev/null >out 2>err &
demo=$!
for ((wait = 0; wait < 200; wait++)); do
  [[ ! -s nodes/n1.pid ]] || break
  sleep 0.05
done
kill -INT "$demo"
status=0
wait "$demo" || status=$?
expect 'Ctrl-C while the nodes are started stops them' nothing_is_left
expect 'Ctrl-C while the nodes are started ends the demo' test "$status" = 130

stand_in bin/dpkg-query <<<'exit 1'
stand_in bin/sudo <<<'exec "$@"'
rm -f apt.calls
call ./run build </dev/null
expect 'missing packages are installed' test "$status" = 0
expect 'the lists are read first' test "$(cut -d' ' -f1 apt.calls | tr "\n" " ")" = 'update install install '
expect 'without what is only recommended' says apt.calls 'install -y --no-install-recommends bazel-bootstrap'
expect 'it says how much' says err ' missing (3 MB). Will run:'

rm -f bin/sudo apt.calls
chmod 777 . .troupe
as_nobody=()
((EUID != 0)) || as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
chmod 755 "$house"
call "${as_nobody[@]}" ./run build --yes </dev/null
expect 'without root it stops' test "$status" = 2
expect 'without root it prints the line to run' says err '  apt-get update && apt-get install -y --no-install-recommends bazel-bootstrap'
expect 'without root it runs nothing' test ! -e apt.calls

((failures == 0)) && echo 'run keeps its promises'
exit "$((failures > 0))"
