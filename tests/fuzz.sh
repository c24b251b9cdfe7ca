#!/bin/sh
# Builds every fuzz target of tests/ with clang and runs it.
#     sh tests/fuzz.sh [SECONDS [TARGET...]]        20 seconds each; all targets
# Settings: JOBS=2 (targets at a time), CC=clang, WORK=folder (keeps programs, logs and what was
# found to be new: the next run goes on from there). Without WORK all that is temporary.
# Prints a line for each target and "N passed, N failed, N skipped" at the end; what fails is shown
# with the input that does it. Put such an input into tests/seeds/TARGET as crash-WHAT: each run
# begins with all that lies there.
set -u
LC_ALL=C
export LC_ALL
root=$(cd "$(dirname "$0")/.." && pwd) || exit 2
CC=${CC:-clang}
# a limit on a single block; the targets count all of them, and the processor time of each input
limits="-max_len=4096 -timeout=25 -malloc_limit_mb=64 -rss_limit_mb=1500"
ASAN_OPTIONS=allocator_may_return_null=1:quarantine_size_mb=32
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS

can() { # TEXT OF A PROGRAM, FLAGS...: whether it can be built
    printf '%s\n' "$1" >"$work/can.c"
    shift
    "$CC" "$work/can.c" "$@" -o "$work/can" >/dev/null 2>&1
}

# no vector passes: a third of the time to build
flags="-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -DVAE_ONLY_PORTABLE
-D_GNU_SOURCE" # which fuzz_args.c asks for after the first header

# The implementation is compiled once; a target sees it without its bodies, as tests do (Makefile).
build_library() {
    awk -f "$root/tests/private.awk" "$root/vae.h" >"$work/private.h" &&
        "$CC" $flags -c "$root/tests/lib.c" -o "$work/lib.o"
}

build() { # TARGET LIBRARIES...
    name=$1
    shift
    "$CC" $flags -include "$work/private.h" "$root/tests/fuzz_$name.c" "$work/lib.o" \
        "$@" -o "$work/$name.new" && mv "$work/$name.new" "$work/$name"
}

fuzz() { # TARGET
    name=$1 libraries='' more='' log=$work/$1.log
    [ "$name" != inflate ] || libraries=-lz
    [ ! -e "$root/tests/seeds/$name.dict" ] || more="-dict=$root/tests/seeds/$name.dict"
    case $name in model | desc | args) more="$more -len_control=0" ;; esac
    [ "$name" != args ] || more="$more -detect_leaks=0" # an exit() leaves everything
    if ! build "$name" $libraries >"$log" 2>&1; then
        echo FAIL >"$work/$name.result"
        echo "FAIL fuzz $name: it does not compile"
        tail -n 20 "$log" | sed 's/^/    /'
        return
    fi
    mkdir -p "$work/corpus-$name" "$work/found-$name"
    rm -f "$work/found-$name"/*
    "$work/$name" $limits $more -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$work/found-$name/" "$work/corpus-$name" "$root/tests/seeds/$name" \
        >"$log" 2>&1
    status=$?
    counts=$(awk '/^stat::number_of_executed_units/ { runs = $2 }
        /^stat::peak_rss_mb/ { peak = $2 }
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
        END { printf "%d executions, %d places reached, %d MB", runs, cov, peak }' "$log")
    if [ $status -eq 0 ]; then
        echo ok >"$work/$name.result"
        echo "ok fuzz $name ($counts)"
        return
    fi
    echo FAIL >"$work/$name.result"
    echo "FAIL fuzz $name, status $status ($counts):"
    grep -a -v -e '^#[0-9]*	' -e 'NEW_FUNC' "$log" | tail -n 45 | cut -c1-200 | sed 's/^/    /'
    for input in "$work/found-$name"/*; do
        [ -e "$input" ] || continue
        echo "    $(basename "$input"):"
        od -A d -t x1z "$input" | head -n 40 | sed 's/^/    /'
    done
}

if [ "${1-}" = --one ]; then # SECONDS FOLDER TARGET: a process of its own for each target
    seconds=$2 work=$3
    fuzz "$4"
    exit 0
fi

seconds=${1:-20}
[ $# -eq 0 ] || shift
targets=${*:-$(cd "$root/tests" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')}
if [ -n "${WORK:-}" ]; then
    mkdir -p "$WORK" && work=$(cd "$WORK" && pwd) || exit 2
else
    work=$(mktemp -d) || exit 2
    trap 'rm -rf "$work"' EXIT
fi
rm -f "$work"/*.result
if ! can 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' \
    -fsanitize=fuzzer,address,undefined; then
    n=0
    for target in $targets; do
        echo "skip fuzz $target (no clang with libFuzzer)"
        n=$((n + 1))
    done
    echo "0 passed, 0 failed, $n skipped"
    exit 77
fi
skipped=0 here=''
for target in $targets; do
    if [ "$target" = inflate ] && ! can '#include <zlib.h>
int main(void) { return !zlibVersion(); }' -lz; then
        echo "skip fuzz inflate (no zlib to compare with)"
        skipped=$((skipped + 1))
    else
        here="$here $target"
    fi
done
count=$(echo $here | wc -w)
if [ -n "$here" ] && ! build_library >"$work/lib.log" 2>&1; then
    tail -n 20 "$work/lib.log" | sed 's/^/    /'
    echo "FAIL the library of the targets does not compile"
    here=''
fi
[ -z "$here" ] ||
    printf '%s\n' $here | xargs -n 1 -P "${JOBS:-2}" sh "$0" --one "$seconds" "$work"
passed=$(cat "$work"/*.result 2>/dev/null | grep -c ok)
failed=$((count - passed)) # what left no word failed too
rm -f "$work/can" "$work/can.c"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
