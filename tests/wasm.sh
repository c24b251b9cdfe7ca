#!/bin/sh
# WebAssembly: the golden runs in node, of SIMD128 and of a scalar build.
#     sh tests/wasm.sh         LONG=1: more levels of optimisation; SPEED=1: bench/wasm.c runs, too
# Needs clang with wasm-ld and its library for WebAssembly (Debian: lld, libclang-rt-14-dev-wasm32), wasi-libc,
# node. Prints ok, FAIL or skip for each run; ends with "wasm: N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cc="clang --target=wasm32-wasi --sysroot=/usr -Wall -Wextra -Wpedantic -Wconversion -Wshadow"
node="node --no-warnings tests/wasi.mjs"
none() {
    echo "skip wasm ($1)"
    echo "wasm: 0 passed, 0 failed, 1 skipped"
    exit 0
}
echo 'int main(void) { return 0; }' >"$dir/main.c"
$cc "$dir/main.c" -o "$dir/main" >/dev/null 2>&1 || none "clang links no program for wasm32-wasi"
$node "$dir/main" 2>/dev/null || none "no node that runs WASI"

golden() { # FLAGS...
    rm -f "$dir/golden"
    if ! $cc "$@" tests/golden.c -o "$dir/golden" >"$dir/log" 2>&1 || [ -s "$dir/log" ]; then
        echo "FAIL $* compiles without a warning"
        tail -n 20 "$dir/log" | cut -c1-300 | sed 's/^/    /'
    fi
    $node "$dir/golden" 1 2 3 4 5 6 7 8 9 >"$dir/hashes" 2>&1
    for run in 1 2 3 4 5 6 7 8 9; do
        hash=$(sed -n "${run}p" "$dir/hashes")
        if [ "$hash" = "$(sed -n "${run}p" tests/golden.txt)" ]; then echo "ok $*, run $run"
        else printf 'FAIL %s, run %s\n    %s\n' "$*" "$run" "${hash:-no hash}"
        fi
    done
}
{
    golden -Ofast -msimd128 # the level that leaves the least as it is written
    golden -O1
    if [ -n "${LONG-}" ]; then golden -O2 -msimd128; golden -O0 -msimd128; fi
} | tee "$dir/out"
if [ -n "${SPEED-}" ]; then $cc -O2 -msimd128 bench/wasm.c -o "$dir/speed" && $node "$dir/speed"; fi
passed=$(grep -c '^ok ' "$dir/out") failed=$(grep -c '^FAIL ' "$dir/out")
echo "wasm: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
