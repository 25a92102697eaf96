#!/usr/bin/env bash
# A message that an actor does not handle is one error of one line, which names actor and message. Nothing else is.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

compile() {
  LC_ALL=C "${CXX:-g++}" -std=c++20 -fsyntax-only -I. "$@" actor/wrong_message.cc
}

compile || { echo "what is right does not compile"; exit 1; }
if compile -DWRONG 2>"$dir/errors"; then
  echo "a wrong message compiles"
  exit 1
fi
grep -n '/\*wrong\*/' actor/wrong_message.cc | cut -d: -f1 >"$dir/wanted"
grep -E 'error:' "$dir/errors" | cut -d: -f2 >"$dir/found"
diff "$dir/wanted" "$dir/found" || { echo "not one error for each wrong line"; cat "$dir/errors"; exit 1; }
while IFS= read -r line; do
  [[ $line == *ActorHasNoHandlerForMessage* && $line == *"M = Unheard"* && $line == *"A = Listener"* ]] ||
    { echo "does not say what is wrong: $line"; exit 1; }
done < <(grep -E 'error:' "$dir/errors")
