#!/usr/bin/env bash
# Holds docs/actors.md to its word: each row has its line and names a test or says why not, each test named exists,
# and each test of actor/ledger_*_test.cc is named.
#   actor/ledger_doc_test.sh [ROOT]    (default: this checkout)
set -euo pipefail

# Under Bazel this file is a link into the checkout.
cd "${1:-$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/..}"
readonly page=docs/actors.md
# What stands between backticks there as Suite.Name.
readonly test_name='(?<=\x60)[A-Z]\w*\.[A-Z]\w*(?=\x60)'

# Group and its number of rows.
readonly groups=('1.:30' '2.:11' '3.:4' '4.:10' '5.:9' '6.:5' '10.:5' '11.:5' '13.:3' 'C:34' 'G:50')

# Prints what is wrong with the page; $1 holds the names of all tests, a line each.
objections() {
  local tests=$1 group row line name
  for group in "${groups[@]}"; do
    for ((row = 1; row <= ${group#*:}; ++row)); do
      (($(grep -c "^| ${group%:*}$row |" "$page") == 1)) || echo "row ${group%:*}$row does not have one line"
    done
  done
  while IFS= read -r line; do
    echo "names no test and does not say why: ${line:0:80}"
  done < <(grep -E '^\| [0-9.CG]+ \|' "$page" | grep -vP "$test_name" | grep -vE '\| (later|not built|n/a)')
  while IFS= read -r name; do
    grep -qxF "$name" "$tests" || echo "there is no test $name"
  done < <(grep -oP "$test_name" "$page" | sort -u)
  while IFS= read -r name; do
    grep -qF "\`$name\`" "$page" || echo "names no row for the test $name"
  done < <(test_names actor/ledger_*_test.cc)
}

# Suite.Name of each test in the files that is not commented out. A name too long for its line stands on the next.
test_names() {
  sed 's,//.*,,' "$@" | tr '\n' ' ' | grep -oE '\bTEST(_F|_P)?\( *[A-Za-z0-9_]+, *[A-Za-z0-9_]+ *\)' |
    sed -E 's/^TEST(_F|_P)?\( *//; s/, */./; s/ *\)$//'
}

names=$(mktemp)
trap 'rm -f "$names"' EXIT
mapfile -t files < <(find actor cluster tests -name '*_test.cc' | sort)
test_names "${files[@]}" >"$names"
found=$(objections "$names")
if [[ -n $found ]]; then
  echo "$page:"
  echo "$found"
  exit 1
fi
echo "$(wc -l <"$names") tests read, $(grep -cE '^\| [0-9.CG]+ \|' "$page") rows stand"
