#!/bin/sh
# Both halves of the fault injection, side by side; ends with the sum: sh tests/faults.sh FOLDER, in
# which faults, faults_tool, faults_shim.so and vae-portable have been built.
set -u
build=$1
log=$(mktemp -d) || exit 2
trap 'rm -rf "$log"' EXIT
"$build/faults" >"$log/library" 2>&1 &
library=$!
"$build/faults_tool" "$build/vae-portable" "$build/faults_shim.so" >"$log/tool" 2>&1
tool=$?
wait $library
library=$?
grep -a -h -v ' passed, ' "$log/library" "$log/tool"
awk -v ended="$((library != 0 && library != 1))" -v tool_ended="$((tool != 0 && tool != 1))" '
    / points where the system failed$/ { points += $1 }
    / passed, / { passed += $1; failed += $3 }
    END { failed += ended + tool_ended
        print points " points in all"
        print passed + 0 " passed, " failed + 0 " failed" }' "$log/library" "$log/tool"
[ $library -eq 0 ] && [ $tool -eq 0 ]
