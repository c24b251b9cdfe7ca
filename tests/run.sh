#!/bin/sh
# Runs the unit tests and the tests of the vae command; ends with "N passed, N failed, N skipped".
# usage: tests/run.sh UNIT_TESTS VAE [--long]
set -u
unit=$1 vae=$2 long=${3-}
here=$(dirname "$0")
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
count() { # reads a line "... N passed, N failed[, N skipped]"
    line=$(grep -E '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
    if [ -z "$line" ]; then failed=$((failed + 1)); echo "FAIL $1 ended without a count"; return; fi
    set -- $(echo "$line" | tr -cs '0-9' ' ')
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + ${3:-0}))
}
run() { # name command...
    name=$1; shift
    echo "== $name"
    "$@" >"$log" 2>&1
    code=$?
    grep -v '^ok ' "$log"
    before=$failed
    count "$name"
    if [ $code -ne 0 ] && [ $failed -eq $before ]; then
        failed=$((failed + 1)); echo "FAIL $name ended with status $code"
    fi
}
if [ -n "$long" ]; then run "unit tests (long)" "$unit" --long; else run "unit tests" "$unit"; fi
run "real time" "$(dirname "$unit")/realtime" ${long:+1000000}
for part in "$here"/test_tool*.sh; do
    run "the vae command, $(basename "$part" .sh)" sh "$part" "$vae"
done
if [ -n "$long" ]; then run "kills and resumes" sh "$here/test_kill.sh" "$vae"; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
