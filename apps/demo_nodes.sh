#!/usr/bin/env bash
# The nodes of ./run demo, which reads this file for its functions and puts a link to it into its directory. What the
# CLI's commands `kill n2` and `start n2` run is the link: DIR/nodes kill n2, DIR/nodes start n2.
#
#   DIR/cluster      a line for each node: name and address
#   DIR/troupe-node  the program
#   DIR/NAME         the node's data; NAME.log what all its runs logged, NAME.out what the last one printed, NAME.pid
#   DIR/NAME.killed  it was ended on purpose
#   DIR/ending       nothing may be started any more
#   DIR/lock         held while a node is ended or started
set -euo pipefail

nodes_directory=''

nodes_names() { cut -d' ' -f1 "$nodes_directory/cluster" 2>/dev/null; }

# Prints the process of the node $1; fails when it does not run. By its number alone it could be another program's.
nodes_pid() {
  local pid
  pid=$(cat "$nodes_directory/$1.pid" 2>/dev/null) || return 1
  grep -qzxF -- "--data-dir=$nodes_directory/$1" "/proc/$pid/cmdline" 2>/dev/null || return 1
  echo "$pid"
}

# Starts the node $1, and does not wait for it.
nodes_launch() {
  local name=$1 other address listen='' all=''
  while read -r other address; do
    all+=${all:+,}$address
    [[ $other != "$name" ]] || listen=$address
  done <"$nodes_directory/cluster"
  local flags=("--name=$name" "--listen=$listen" "--data-dir=$nodes_directory/$name")
  # The first node founds the cluster when it starts for the first time. Else each is told of all, because any of them
  # may be dead.
  [[ $name == n1 && ! -e $nodes_directory/n1 ]] || flags+=("--join=$all")
  rm -f "$nodes_directory/$name.killed"
  # A session of its own: Ctrl-C at the prompt belongs to the CLI, not to the node. What a variable says that no flag
  # here outranks is for the user's own nodes.
  env -u TROUPE_CONFIG -u TROUPE_JOIN -u TROUPE_ADVERTISE setsid "$nodes_directory/troupe-node" "${flags[@]}" \
    </dev/null >"$nodes_directory/$name.out" 2>>"$nodes_directory/$name.log" 9>&- &
  echo $! >"$nodes_directory/$name.pid"
  # Else bash has something to say when somebody kills it.
  disown
}

# Waits until the node $1, which this shell has launched, serves; else fails, with the reason in nodes_problem.
nodes_problem=''
nodes_await() {
  local name=$1 deadline=$((SECONDS + 11))  # SECONDS counts whole seconds: at least 10
  until grep -qx ready "$nodes_directory/$name.out"; do
    if ! kill -0 "$(cat "$nodes_directory/$name.pid")" 2>/dev/null; then
      nodes_problem="$name exited before it served"
    elif ((SECONDS >= deadline)); then
      nodes_problem="$name does not serve after 10 s"
    elif [[ -e $nodes_directory/ending ]]; then
      nodes_problem='the demo ends'
    fi
    [[ -z $nodes_problem ]] || return 1
    sleep 0.05
  done
}

# Ends all nodes, by force those that take more than 5 s, and prints the names of these. Nothing can be started then.
nodes_stop() {
  local name running deadline=$((SECONDS + 6))
  : >"$nodes_directory/ending"
  # A node that is being started has a NAME.pid once the lock is free; no one holds it for long.
  exec 9>"$nodes_directory/lock"
  flock -w 2 9 || true
  for name in $(nodes_names); do
    ! running=$(nodes_pid "$name") || kill -TERM "$running" 2>/dev/null || true
  done
  for name in $(nodes_names); do
    while running=$(nodes_pid "$name") && ((SECONDS < deadline)); do sleep 0.05; done
    [[ -n $running ]] || continue
    kill -KILL "$running" 2>/dev/null || true
    echo "$name"
    nodes_await_end "$name" || true
  done
}

# Waits until the node $1 is gone, which after SIGKILL takes as long as the system needs to free its memory.
nodes_await_end() {
  local deadline=$((SECONDS + 6))
  while nodes_pid "$1" >/dev/null; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}

nodes_fail() { echo "error: $1" >&2; exit "${2:-1}"; }

nodes_main() {
  [[ $# == 2 && ($1 == kill || $1 == start) ]] || nodes_fail "usage: ${BASH_SOURCE[0]} kill|start NODE" 2
  # The link's directory, not that of the file behind it.
  nodes_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  local verb=$1 name=$2 pid=''
  nodes_names | grep -qxF -- "$name" || nodes_fail "no such node: $name; there are: $(nodes_names | tr '\n' ' ')"
  exec 9>"$nodes_directory/lock"
  flock 9
  [[ ! -e $nodes_directory/ending ]] || nodes_fail 'the demo ends'
  pid=$(nodes_pid "$name") || pid=''
  case $verb in
    kill)
      [[ -n $pid ]] || nodes_fail "$name does not run; start it with: start $name"
      : >"$nodes_directory/$name.killed"
      kill -KILL "$pid"
      nodes_await_end "$name" || nodes_fail "$name was sent SIGKILL and is still there"
      echo "$name killed (SIGKILL); the others notice within 6 s" ;;
    start)
      [[ -z $pid ]] || nodes_fail "$name runs already"
      nodes_launch "$name"
      exec 9>&-
      nodes_await "$name" || nodes_fail "$nodes_problem; the end of its log: $(tail -n 5 "$nodes_directory/$name.log")"
      echo "$name started" ;;
  esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then nodes_main "$@"; fi
