#!/bin/sh
# Windows: the vae command by gcc for mingw-w64, and by clang in the place of MSVC (tests/compile/msvc.h),
# does every golden run on every pass of this processor under Wine.
#     sh tests/windows.sh              LONG=1: also clang in the place of clang-cl
# Prints ok, FAIL or skip for each; ends with "windows: N passed, N failed, N skipped". What is not
# installed is skipped by name.
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
dir=$(mktemp -d) || exit 2
. tests/wine.sh
RUNNER=$wine
export RUNNER
trap 'wine_end; rm -rf "$dir"' EXIT
have() { command -v "$1" >/dev/null 2>&1; }
gcc=x86_64-w64-mingw32-gcc
msvc="clang --target=x86_64-w64-mingw32 -fms-extensions -Itests/compile -include tests/compile/msvc.h"
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow"
ok() { echo "ok $1"; }
skip() { echo "skip $1 ($2)"; }
fail() { echo "FAIL $1"; tail -n 40 "$dir/log" 2>/dev/null | cut -c1-300 | sed 's/^/    /'; }
check() { # NAME COMMAND...: the command succeeds
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1; then ok "$name"; else fail "$name"; fi
}
silent() { # NAME COMMAND...: and says nothing
    name=$1
    shift
    if "$@" >"$dir/log" 2>&1 && [ ! -s "$dir/log" ]; then ok "$name"; else fail "$name"; fi
}

golden() { # NAME PROGRAM
    if [ -z "$wine" ]; then skip "golden runs, $1" "no wine"; return; fi
    if [ ! -e "$2" ]; then return; fi # it said why
    for isa in portable avx2 avx512; do
        if [ $isa != portable ] && ! grep -q -w -e $isa -e ${isa}f /proc/cpuinfo; then
            skip "golden runs, $1 $isa" "this processor has no $isa"
            continue
        fi
        for run in 1 2 3 4 5 6 7 8 9; do
            hash=$(GOLDEN=$run sh tests/golden.sh "$2" $isa --test-images 0 2>"$dir/log")
            want=$(sed -n "${run}p" tests/golden.txt)
            if [ "$hash" = "$want" ]; then
                ok "$1 $isa, run $run"
            else
                echo "params_hash ${hash:-none} instead of $want" >>"$dir/log"
                fail "$1 $isa, run $run"
            fi
        done
    done
}

# gcc's assembler input, and in it every move of a wide vector to or from the stack the aligned one, as
# GCC bug 54412 would leave them. The program made of it must not have one.
mingw() {
    if ! have $gcc; then skip "mingw-w64" "$gcc is not installed"; return; fi
    # its printf of old knows no %zu, unless it is asked for the newer one; the warning stays
    silent "mingw-w64" $gcc -D__USE_MINGW_ANSI_STDIO=1 -O1 $warnings -Wno-format \
        -Wno-format-extra-args -S tools/vae.c -o "$dir/vae.s"
    sed -E '/%[yz]mm/{/\(%r[sb]p/{s/\bvmovup([sd])/vmovap\1/;s/\bvmovdqu(32|64)?\b/vmovdqa\1/}}' \
        "$dir/vae.s" >"$dir/aligned.s"
    aligned=$(grep -c -E 'vmov(ap[sd]|dqa).*%[yz]mm.*\(%r[sb]p|vmov(ap[sd]|dqa).*\(%r[sb]p.*%[yz]mm' \
        "$dir/aligned.s")
    echo "$aligned aligned moves to and from the stack" >"$dir/log"
    if [ "$aligned" -gt 500 ]; then ok "there is something to mend"; else fail "there is something to mend"; fi
    check "mingw-w64, assembled" $gcc -c "$dir/aligned.s" -o "$dir/aligned.o"
    objdump -d "$dir/aligned.o" >"$dir/dump" 2>&1
    if [ "$(grep -c -E 'vmovup[sd]|vmovdqu' "$dir/dump")" -ge "$aligned" ] &&
        ! grep -E 'vmov(ap[sd]|dqa)' "$dir/dump" >"$dir/log"; then
        ok "no aligned move of a vector is left"
    else
        fail "no aligned move of a vector is left"
    fi
    check "mingw-w64, linked" $gcc "$dir/aligned.o" -o "$dir/mingw.exe"
    golden mingw-w64 "$dir/mingw.exe"
}

emulated() {
    if ! have clang; then skip "MSVC and clang-cl" "clang is not installed"; return; fi
    if ! echo '#include <windows.h>' | $msvc -fsyntax-only -x c - 2>/dev/null; then
        skip "MSVC and clang-cl" "no headers of mingw-w64"
        return
    fi
    silent "clang as clang-cl, impl.c" $msvc -DCLANG_CL -O0 -std=c99 $warnings -c tests/compile/impl.c \
        -o "$dir/impl.o"
    if $msvc -D_M_FP_FAST -fsyntax-only tests/compile/impl.c >"$dir/log" 2>&1 ||
        ! grep -q "/fp:fast" "$dir/log"; then
        fail "/fp:fast is refused"
    else
        ok "/fp:fast is refused"
    fi
    silent "clang as MSVC" $msvc -O1 -std=c99 $warnings -c tools/vae.c -o "$dir/msvc.o"
    check "clang as MSVC, linked" $gcc "$dir/msvc.o" -o "$dir/msvc.exe"
    golden "clang as MSVC" "$dir/msvc.exe"
    [ -n "${LONG:-}" ] || return
    check "clang as clang-cl" $msvc -DCLANG_CL -O2 -c tools/vae.c -o "$dir/cl.o"
    check "clang as clang-cl, linked" $gcc "$dir/cl.o" -o "$dir/cl.exe"
    golden "clang as clang-cl" "$dir/cl.exe"
}

wine_begin
(mingw) >"$dir/out.mingw" 2>&1
(emulated) >"$dir/out.msvc" 2>&1
cat "$dir/out.mingw" "$dir/out.msvc" | tee "$dir/out"
passed=$(grep -c '^ok ' "$dir/out") failed=$(grep -c '^FAIL ' "$dir/out")
echo "windows: $passed passed, $failed failed, $(grep -c '^skip ' "$dir/out") skipped"
[ "$failed" -eq 0 ]
