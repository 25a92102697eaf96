#!/usr/bin/env bash
# No #include points backwards: proto and actor <- cluster <- kvstore <- apps, tests beside them all. Bazel's
# visibility is the first lock; this one also sees what a system header would let through.
#   tests/layering_test.sh [ROOT]       reads the sources under ROOT (default: this checkout)
#   tests/layering_test.sh --self-check plants one violation of each rule and wants it found
set -euo pipefail

readonly layers=(actor cluster kvstore proto apps tests)

# Prints the reason why the file $1 may not include $2; nothing when it may.
objection() {
  local file=$1 included=$2 layer=${1%%/*} target=${2%%/*}
  case $target in
    .|..) echo 'is relative: write the path from the root of the tree' ;;
    actor|cluster|kvstore|proto|apps|tests|troupe)  # troupe/ holds the headers made from proto/
      case $layer:$target in
        actor:actor) ;;
        cluster:actor|cluster:cluster|cluster:proto|cluster:troupe) ;;
        kvstore:actor|kvstore:cluster|kvstore:kvstore|kvstore:proto|kvstore:troupe) ;;
        apps:tests) echo 'apps/ must work without tests/' ;;
        apps:*|tests:*) ;;
        *) echo "$layer/ stands below $target/" ;;
      esac ;;
  esac
  case $included in
    grpcpp/*|grpc++/*|*.grpc.pb.h)
      case $file in
        tests/*|apps/*.cc|cluster/*transport*.cc|kvstore/client*.cc) ;;
        *) echo 'gRPC stays in .cc files of apps/, cluster/*transport* and kvstore/client*' ;;
      esac ;;
    google/protobuf/*) [[ $layer != actor ]] || echo 'actor/ knows no proto' ;;
    rocksdb/*)
      case $file in
        tests/*|kvstore/rocksdb_*) ;;
        *) echo 'RocksDB stays in kvstore/rocksdb_*' ;;
      esac ;;
  esac
  if is_pure "$file"; then
    case $included in
      thread|mutex|condition_variable|fstream|sys/socket.h|unistd.h|absl/time/clock.h|absl/synchronization/*|troupe/*|google/protobuf/*)
        echo 'a pure core has no thread, clock, socket, disk or proto' ;;
    esac
  fi
}

is_pure() {
  case $1 in
    cluster/swim/*|cluster/registry/*|kvstore/raft/*|kvstore/shard_map*) return 0 ;;
    *) return 1 ;;
  esac
}

# Reads the tree in the current directory; prints each violation as file:line; fails when there is one.
check_tree() {
  local present=() layer violations=0 edges=0 file line text reason
  for layer in "${layers[@]}"; do
    [[ ! -d $layer ]] || present+=("$layer")
  done
  while IFS=: read -r file line text; do
    [[ $text =~ ^[[:space:]]*\#[[:space:]]*include[[:space:]]*([\"\<])([^\"\>]+) ]] || continue
    edges=$((edges + 1))
    local quote=${BASH_REMATCH[1]} included=${BASH_REMATCH[2]}
    reason=$(objection "$file" "$included")
    if [[ -z $reason && $quote == '"' && $included != */* ]]; then
      reason='has no folder: write the path from the root of the tree'
    fi
    if [[ -n $reason ]]; then
      echo "$file:$line: includes $included: ${reason//$'\n'/; }"
      violations=$((violations + 1))
    fi
  done < <(grep -rnE --include='*.h' --include='*.cc' '^\s*#\s*include' "${present[@]}" || true)
  while IFS=: read -r file line text; do
    is_pure "$file" || continue
    echo "$file:$line: reads a clock; a pure core takes the time as an argument: $text"
    violations=$((violations + 1))
  done < <(grep -rnE --include='*.h' --include='*.cc' '(steady|system|high_resolution)_clock|absl::Now\(' "${present[@]}" || true)
  if ((edges == 0)); then
    echo "no #include found under $PWD"
    return 1
  fi
  echo "$edges includes read, $violations point where they must not"
  ((violations == 0))
}

self_check() {
  local tree status=0 case file text want
  tree=$(mktemp -d)
  # shellcheck disable=SC2064  # this directory
  trap "rm -rf '$tree'" EXIT
  cd "$tree"
  # verdict, file, line of code
  while IFS='|' read -r want file text; do
    rm -rf "${layers[@]}"
    mkdir -p "$(dirname "$file")"
    printf '#include <string>\n%s\n' "$text" >"$file"
    if check_tree >report; then case=clean; else case=bad; fi
    if [[ $case != "$want" ]]; then
      echo "$file with '$text' should be $want but is $case"
      status=1
    elif [[ $want == bad ]] && ! grep -q "^$file:2: " report; then
      echo "$file with '$text': the report does not name the line"
      status=1
    fi
  done <<'CASES'
clean|actor/a.h|#include "actor/b.h"
clean|actor/a_test.cc|#include "gtest/gtest.h"
bad|actor/a.cc|#include "cluster/cluster.h"
bad|actor/a.cc|#include "troupe/kv/v1/kv.pb.h"
bad|actor/a.cc|#include <google/protobuf/message.h>
bad|actor/a.cc|  #  include "kvstore/storage.h"
bad|actor/a.h|#include "mailbox.h"
bad|actor/a.h|#include "../cluster/cluster.h"
clean|cluster/a.cc|#include "troupe/internal/v1/peer.pb.h"
bad|cluster/a.cc|#include "kvstore/storage.h"
clean|cluster/grpc_transport.cc|#include <grpcpp/grpcpp.h>
bad|cluster/grpc_transport.h|#include <grpcpp/grpcpp.h>
bad|cluster/registry.cc|#include "troupe/internal/v1/peer.grpc.pb.h"
clean|cluster/swim/swim.cc|#include "actor/random.h"
bad|cluster/swim/swim.cc|#include <thread>
bad|cluster/swim/swim.cc|#include <sys/socket.h>
bad|cluster/swim/swim.cc|auto now = std::chrono::steady_clock::now();
bad|cluster/swim/swim.cc|auto now = absl::Now();
bad|cluster/swim/swim.cc|#include "troupe/internal/v1/peer.pb.h"
clean|kvstore/a.cc|#include "cluster/cluster.h"
bad|kvstore/a.cc|#include "apps/node/node.h"
bad|kvstore/a.cc|#include "tests/checkers.h"
clean|kvstore/rocksdb_storage.h|#include <rocksdb/db.h>
bad|kvstore/router.cc|#include <rocksdb/db.h>
clean|kvstore/client.cc|#include <grpcpp/grpcpp.h>
bad|kvstore/router.cc|#include <grpcpp/grpcpp.h>
bad|kvstore/raft/raft.h|#include <thread>
bad|kvstore/shard_map.cc|#include <thread>
clean|apps/node/grpc_server.cc|#include <grpcpp/grpcpp.h>
bad|apps/node/node.h|#include <grpcpp/grpcpp.h>
bad|apps/node/node.cc|#include "tests/checkers.h"
bad|apps/node/node.cc|#include "rocksdb/db.h"
bad|proto/a.h|#include "actor/random.h"
clean|tests/a.cc|#include "apps/node/node.h"
CASES
  ((status == 0)) && echo 'every planted violation was found'
  return "$status"
}

if [[ ${1:-} == --self-check ]]; then
  self_check
else
  cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"
  check_tree
fi
