#!/bin/sh
# Machines and systems that only zig's clang, with its C libraries, compiles for here: golden runs under
# qemu-user, and systems that nothing here runs, compiled without a warning.
#     sh tests/zig.sh [PART OF A TARGET]     ZIG="zig" or "python3 -m ziglang"; LONG=1: every target, every run
# ziglang is a package of PyPI. Zig builds a target's C library at the first use, which takes 40 s, and keeps
# it (ZIG_GLOBAL_CACHE_DIR): so the short run has one target that runs.
# Prints ok, FAIL or skip; ends with "zig: N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
filter=${1-}
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow"
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
if [ -z "${ZIG-}" ]; then
    for ZIG in "python3 -m ziglang" zig ""; do $ZIG version >/dev/null 2>&1 && break; done
fi
if [ -z "$ZIG" ] || ! $ZIG version >"$dir/log" 2>&1; then
    echo "skip zig (no ${ZIG:-zig and no ziglang of python3}, or it does not run)"
    echo "zig: 0 passed, 0 failed, 1 skipped"
    exit 0
fi
fail() { echo "FAIL $1"; tail -n 20 "$dir/log" | cut -c1-300 | sed 's/^/    /'; }
wanted() { case $1 in *"$filter"*) ;; *) return 1 ;; esac; }

golden() { # TARGET RUNNER RUNS
    wanted "$1" || return 0
    if [ -n "$2" ] && ! command -v "$2" >/dev/null 2>&1; then echo "skip $1 ($2 is not installed)"; return; fi
    if ! $ZIG cc -target "$1" -O2 -fno-sanitize=undefined $warnings -static tests/golden.c -o "$dir/golden" \
        >"$dir/log" 2>&1 || [ -s "$dir/log" ]; then
        fail "$1 compiles without a warning"
        return
    fi
    for run in $3; do
        $2 "$dir/golden" "$run" >"$dir/log" 2>&1
        if [ "$(cat "$dir/log")" = "$(sed -n "${run}p" tests/golden.txt)" ]; then
            echo "ok $1, run $run"
        else
            fail "$1, run $run"
        fi
    done
}
compiles() { # TARGET FLAGS...
    wanted "$1" || return 0
    target=$1
    shift
    if $ZIG cc -target "$target" -O1 -fno-sanitize=undefined $warnings "$@" -c tests/compile/impl.c -o "$dir/o" \
        >"$dir/log" 2>&1 && [ ! -s "$dir/log" ]; then
        echo "ok $target compiles without a warning"
    else
        fail "$target compiles without a warning"
    fi
}

{
    if [ -n "${LONG-}" ]; then
        runs="1 2 3 4 5 6 7 8 9"
        golden powerpc64-linux-musl qemu-ppc64 "$runs"
        golden arm-linux-musleabihf qemu-arm "$runs"
        golden aarch64-linux-musl qemu-aarch64 "$runs"
        golden x86_64-linux-musl "$([ "$(uname -m)" = x86_64 ] || echo qemu-x86_64)" "$runs"
    else
        runs="1 3" # the second alone takes a minute
    fi
    golden riscv64-linux-musl qemu-riscv64 "$runs"
    compiles aarch64-macos
    compiles aarch64-windows
    # their vector passes are those of Linux
    for target in x86_64-macos x86_64-freebsd x86_64-netbsd loongarch64-linux wasm32-wasi; do
        if [ -n "${LONG-}" ]; then compiles $target; else compiles $target -DVAE_ONLY_PORTABLE; fi
    done
} | tee "$dir/out"
passed=$(grep -c '^ok ' "$dir/out") failed=$(grep -c '^FAIL ' "$dir/out")
echo "zig: $passed passed, $failed failed, $(grep -c '^skip ' "$dir/out") skipped"
[ "$failed" -eq 0 ]
