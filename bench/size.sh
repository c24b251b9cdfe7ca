#!/bin/sh
# What an include of vae.h costs: sh bench/size.sh [COMPILER...]. One object file with the implementation
# for each build: text and data in KB of 1000 bytes, and the user time of its compilation in seconds, the
# middle one of RUNS (1). `make size` keeps the table in bench/results/size.txt.
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
runs=${RUNS:-1}
[ $# -gt 0 ] || set -- gcc clang

# one row: a name and the macros of the build
builds() {
    cat <<'END'
everything |
NO_AVX512 | -DVAE_NO_AVX512
NO_AVX2 | -DVAE_NO_AVX2
ONLY_PORTABLE | -DVAE_ONLY_PORTABLE
NO_PORTABLE | -DVAE_NO_PORTABLE
NO_TRAIN | -DVAE_NO_TRAIN
NO_CODES | -DVAE_NO_CODES
NO_PIXELS | -DVAE_NO_PIXELS
NO_CONV | -DVAE_NO_CONV
NO_DENSITIES | -DVAE_NO_DENSITIES
NO_DATA | -DVAE_NO_DATA
ONLY_DECODE | -DVAE_ONLY_DECODE
NO_STDIO | -DVAE_NO_STDIO
NO_THREADS | -DVAE_NO_THREADS
NO_MESSAGES | -DVAE_NO_MESSAGES
NO_TRAIN, AVX2 alone | -DVAE_NO_TRAIN -DVAE_NO_AVX512 -DVAE_NO_PORTABLE
ONLY_DECODE, portable | -DVAE_ONLY_DECODE -DVAE_NO_CONV -DVAE_NO_STDIO -DVAE_NO_THREADS -DVAE_NO_MESSAGES -DVAE_ONLY_PORTABLE
all NO_*, portable | -DVAE_NO_TRAIN -DVAE_NO_CONV -DVAE_NO_DENSITIES -DVAE_NO_DATA -DVAE_NO_STDIO -DVAE_NO_THREADS -DVAE_NO_MESSAGES -DVAE_ONLY_PORTABLE
END
}

cell() { # COMPILER FLAGS...: text, data and seconds
    i=0
    while [ $i -lt "$runs" ]; do # the second line of `times` is of the children
        sh -c '"$@" || exit 1; times' sh "$@" -c tests/compile/impl.c -o "$dir/o" >"$dir/times" || return 1
        sed -n '2s/^\([0-9]*\)m\([0-9.]*\)s .*/\1 \2/p' "$dir/times" | awk '{ print 60 * $1 + $2 }'
        i=$((i + 1))
    done | sort -n | sed -n "$(((runs + 1) / 2))p" >"$dir/seconds"
    size "$dir/o" | awk -v s="$(cat "$dir/seconds")" 'NR == 2 { printf " %8.1f %5.1f %5.1f", $1 / 1000, $2 / 1000, s }'
}

echo "text, data: KB of 1000 bytes; s: user time of the compilation; names without VAE_"
for cc in "$@"; do
    command -v "$cc" >/dev/null 2>&1 || continue
    printf '\n%s\n%-22s' "$("$cc" --version | head -n 1)" ""
    for level in -O0 -Os -O2; do printf ' %8s %5s %5s' "$level text" data s; done
    echo
    builds | while IFS='|' read -r name macros; do
        printf '%-22s' "${name% }"
        for level in -O0 -Os -O2; do
            cell "$cc" $level $macros || printf ' %20s' "does not compile"
        done
        echo
    done
done

printf '\n%s\n' "code of a decoder (tests/devices), linked without a C library; x86-64 as gcc links a program"
sh tests/devices.sh size
