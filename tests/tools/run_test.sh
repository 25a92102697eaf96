#!/usr/bin/env bash
# Holds ./run to its promises with stand-ins for apt, Bazel, the node and the CLI: quick, and without a network.
set -euo pipefail

house=$(mktemp -d)
trap 'rm -rf "$house"' EXIT
mkdir -p "$house"/{bin,bazel-bin/apps,tmp,tests/tools}
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cp "$tools/count.sh" "$house/tests/tools/"
cp "$tools/../../run" "$house/run"
cd "$house"
export TMPDIR=$house/tmp FOR_NODE=$house/node

# Only these programs are found: above all, no sudo unless a case brings it.
for tool in bash cat chmod cut dirname env getent grep kill mkdir mktemp rm sed setsid setpriv sleep sort tail timeout tr; do
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
if [[ $2 == status ]]; then cat >/dev/null; [[ -e $FOR_NODE.serves ]]; exit; fi
cat
exit "${CLI_EXIT:-0}"
CLI
stand_in bazel-bin/apps/troupe-node <<'NODE'
echo "$* input: $(cat)"
[[ ${NODE_STARTS:-yes} == yes ]] || { echo 'error: no room' >&2; exit 1; }
echo $$ >"$FOR_NODE.pid"
: >"$FOR_NODE.serves"
trap 'echo stopped; exit 0' TERM
[[ ${NODE_STOPS:-yes} == yes ]] || trap : TERM
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
node_is_gone() { ! kill -0 "$(cat node.pid)" 2>/dev/null; }
# shellcheck disable=SC2317  # called through expect
nothing_is_left() { node_is_gone && [[ $(echo tmp/*) == 'tmp/*' ]]; }

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
expect 'the demo leaves nothing behind' nothing_is_left
CLI_EXIT=3 call ./run demo </dev/null
expect 'the demo exits as the CLI did' test "$status" = 3
rm -f node.serves

call ./run demo --keep </dev/null
expect '--keep says where' says err "kept: $TMPDIR/troupe-demo."
expect '--keep keeps the log' grep -q 'name=n1 --listen=127.0.0.1:71.* input: $' tmp/troupe-demo.*/node.log
expect 'the node was asked to stop and did' grep -q stopped tmp/troupe-demo.*/node.log
expect 'the node is gone' node_is_gone
rm -rf tmp/* node.serves

NODE_STARTS=no call ./run demo </dev/null
expect 'a node that does not start is an error' test "$status" = 1
expect 'its log is shown' says err 'error: no room'
expect 'its directory is gone' test "$(echo tmp/*)" = 'tmp/*'

NODE_STOPS=no call ./run demo </dev/null
expect 'a node that does not stop is killed' nothing_is_left
rm -f node.serves

mkfifo=$(PATH=/usr/bin:/bin command -v mkfifo)
"$mkfifo" typed
./run demo <typed >out 2>err &
demo=$!
exec 3>typed
for ((wait = 0; wait < 200; wait++)); do
  ! says err 'Try:' || break
  sleep 0.05
done
kill -TERM "$demo"
status=0
wait "$demo" || status=$?
exec 3>&-
expect 'a demo that is terminated stops its node' nothing_is_left
expect 'a demo that is terminated fails' test "$status" = 143

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
