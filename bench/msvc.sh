#!/bin/sh
# How fast the portable pass is in a build by MSVC, beside gcc's: sh bench/msvc.sh, or make bench-msvc.
# clang stands in for MSVC's compiler (tests/compile/msvc.h), mingw-w64 links, Wine runs it; bench/wasm.c
# times a step of 100 images and decodes, in CPU time. The programs take TURNS (3) turns each, and the
# fastest time of each counts.
set -u
cd "$(dirname "$0")/.." || exit 2
dir=$(mktemp -d) || exit 2
LC_ALL=C
export LC_ALL
. tests/wine.sh
trap 'wine_end; rm -rf "$dir"' EXIT
gcc=x86_64-w64-mingw32-gcc
for tool in clang $gcc "${wine:-wine64}"; do
    command -v "$tool" >/dev/null 2>&1 || { echo "msvc.sh: $tool is not installed" >&2; exit 1; }
done
small="-O2 -DVAE_ONLY_PORTABLE -DVAE_NO_CONV -DVAE_NO_THREADS -DVAE_NO_STDIO"
cc $small bench/wasm.c -o "$dir/linux" &&
    $gcc $small bench/wasm.c -o "$dir/mingw.exe" &&
    clang --target=x86_64-w64-mingw32 -fms-extensions -Itests/compile -include tests/compile/msvc.h $small \
        -c bench/wasm.c -o "$dir/msvc.o" && $gcc "$dir/msvc.o" -o "$dir/msvc.exe" || exit 1
wine_begin
turn=0
while [ $turn -lt "${TURNS:-3}" ]; do
    echo "linux $("$dir/linux")"
    echo "mingw $("$wine" "$dir/mingw.exe" | tr -d '\r')"
    echo "msvc $("$wine" "$dir/msvc.exe" | tr -d '\r')"
    turn=$((turn + 1))
done >"$dir/times"
awk '{
    if (!($1 in step) || $6 < step[$1]) step[$1] = $6
    if (!($1 in decode) || $11 < decode[$1]) decode[$1] = $11
} END {
    printf "%-34s %14s %14s\n", "portable pass, -O2", "step of 100, ms", "decode of 64, ms"
    n = split("linux,gcc on Linux;mingw,gcc for Windows, in Wine;msvc,clang as MSVC, in Wine", rows, ";")
    for (i = 1; i <= n; i++) {
        name = rows[i]
        sub(/,.*/, "", name)
        sub(/^[a-z]*,/, "", rows[i])
        printf "%-34s %15.1f %16.1f\n", rows[i], step[name], decode[name]
    }
    printf "%-34s %15.2f %16.2f\n", "speed of MSVC beside gcc in Wine", step["mingw"] / step["msvc"],
        decode["mingw"] / decode["msvc"]
    printf "%-34s %15.2f %16.2f\n", "... beside gcc on Linux", step["linux"] / step["msvc"],
        decode["linux"] / decode["msvc"]
}' "$dir/times"
