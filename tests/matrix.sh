#!/bin/sh
# The compile matrix: compilers, standards, flags, instruction sets, machines. Every build of
# tests/golden.c does golden runs and must end with the hashes in tests/golden.txt and with the same model
# files, byte for byte; so must some builds of the vae command. Nothing may warn.
#     sh tests/matrix.sh [PART OF A NAME]       JOBS=2: at a time; DATA=folder: MNIST as well; LONG=1:
#                                               also flags that others imply, and all runs with each build
# Prints ok, FAIL or skip for each variant; ends with "matrix: N passed, N failed, N skipped".
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
cd "$root" || exit 2
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow"
LC_ALL=C
export LC_ALL

# ---- one job, in a process of its own: sh matrix.sh --job "KIND|NAME|..." ----

report() { # ok|FAIL|skip NAME [REASON]
    echo "$1 $2${3:+ ($3)}"
    if [ "$1" = FAIL ]; then tail -n 40 "$log" | cut -c1-300 | sed 's/^/    /'; fi
}

processor_has() { # ISA: what the processor says, not what the library found
    case $1 in
    auto | portable | simd128 | neon) return 0 ;; # asked only where they are always there
    avx2) want="avx2 fma" ;;
    avx512) want="avx2 fma avx512f avx512dq avx512bw avx512vl" ;;
    esac
    for flag in $want; do grep -q -w "$flag" /proc/cpuinfo || return 1; done
}

job() {
    kind=$(echo "$1" | cut -d'|' -f1) name=$(echo "$1" | cut -d'|' -f2)
    command=$(echo "$1" | cut -d'|' -f3)
    isas=$(echo "$1" | cut -d'|' -f4) RUNNER=$(echo "$1" | cut -d'|' -f5)
    base=$dir/$(echo "$name" | tr -c 'a-z0-9A-Z_\n' _)
    log=$base.log
    export RUNNER
    case $kind in
    skip) report skip "$name" "$command" ;;
    clean) # compiles without a word
        if $command >"$log" 2>&1 && [ ! -s "$log" ]; then report ok "$name"; else report FAIL "$name"; fi
        ;;
    golden | tool) # "portable:few avx2": few runs with the portable kernels, all with AVX2
        program=tests/golden.c
        [ $kind = golden ] || program=tools/vae.c
        $command $program -o "$base" >"$log" 2>&1 || echo "the compiler ended with $?" >>"$log"
        if [ -s "$log" ]; then report FAIL "$name without a warning"; fi
        if [ ! -e "$base" ]; then return; fi # it said why
        for isa in $isas; do
            case $isa in *:few) runs=$few ;; *) runs=$all ;; esac
            isa=${isa%:few}
            if ! processor_has "$isa"; then
                report skip "$name $isa" "this processor has no $isa"
                continue
            fi
            if [ $kind = golden ]; then
                ${RUNNER:-} "$base" "$isa" "$base.model" $runs >"$base.out" 2>"$log"
            else
                for run in $runs; do
                    echo "$run $(GOLDEN=$run sh tests/golden.sh "$base" "$isa" --test-images 0 \
                        --model "$base.model" 2>>"$log") $(sha256sum <"$base.model")"
                    rm -f "$base.model"
                done >"$base.out"
            fi
            for run in $runs; do # number, hash of the parameters, hash of the file
                line=$(grep "^$run " "$base.out")
                if [ -n "$line" ] && [ "$line" = "$(grep "^$run " "$dir/$kind.expected")" ]; then
                    report ok "$name $isa, run $run"
                else
                    echo "'$line' instead of $(grep "^$run " "$dir/$kind.expected")" >>"$log"
                    report FAIL "$name $isa, run $run"
                fi
            done
            rm -f "$base.model" "$base.out"
        done
        ;;
    refused) # must not compile, and must say the word in field 4
        if $command -c "$here/compile/impl.c" -o "$base.o" >"$log" 2>&1; then
            echo "compiles, and must not" >>"$log"
            report FAIL "$name"
        elif grep -q -F -e "$isas" "$log"; then report ok "$name"
        else report FAIL "$name"
        fi
        ;;
    esac
    rm -f "$base" "$base.o"
}

# Which runs: a build errs where its compiler optimises, or in what its flags change. -O2, -Os and -Ofast
# of each compiler, and the one machine of big-endian numbers, do all. A build that is not optimised, or
# differs from another in how doubles outside the kernels are computed, or in spelling, does the few with
# the portable kernels: these lead through most of that code in a sixth of the time (run 1 has 50 steps,
# 2 convolutions, 7 and 9 masked layers). Vector kernels do all runs, unless they are emulated. The command
# is built where it may get warnings of its own or another byte order or size of words, and does the few.
all="1 2 3 4 5 6 7 8 9" few="3 4 5 6 8"
[ -z "${LONG:-}" ] || few=$all

if [ "${1-}" = --job ]; then
    dir=$2
    job "$3"
    echo "$3" >>"$dir/done"
    exit 0
fi

# ---- the list of jobs ----

filter=${1-}
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
add() { echo "$*" >>"$dir/jobs"; }
have() { command -v "$1" >/dev/null 2>&1; }
echo 'int main(void) { return 0; }' >"$dir/main.c"
runs() { # COMMAND... : compiles a program, statically, which RUNNER runs
    "$@" -static "$dir/main.c" -o "$dir/main" >/dev/null 2>&1 && ${RUNNER:-} "$dir/main"
}

machine=$(uname -m)
case $machine in
x86_64) isas="portable avx2 avx512" some="portable:few avx2 avx512" ;;
aarch64) isas="portable neon" some="portable:few neon" ;;
*) isas=portable some=portable:few ;;
esac
sse2="" simd128=""
if [ $machine = x86_64 ]; then sse2=-DVAE_SSE2 simd128=simd128; fi
recipes=$(ls examples/[a-z]*.c 2>/dev/null)

# slow ones first, so that none is left alone at the end
cross() { # KIND NAME COMPILER RUNNER ISAS FLAGS...: static builds
    kind=$1 name=$2 cc=$3 RUNNER=$4 cross_isas=$5
    shift 5
    if ! have "$cc"; then add "skip|$name|$cc is not installed"; return; fi
    if [ -n "$RUNNER" ] && ! have "$RUNNER"; then add "skip|$name|$RUNNER is not installed"; return; fi
    if ! runs "$cc"; then add "skip|$name|its programs do not run here"; return; fi
    for flags in "$@"; do
        add "$kind|$name $flags|$cc $flags -static $warnings|$cross_isas|$RUNNER"
    done
}
long=${LONG:+yes}
cross golden s390x s390x-linux-gnu-gcc qemu-s390x portable -Ofast ${long:+-O2}
cross tool "s390x, vae" s390x-linux-gnu-gcc qemu-s390x auto:few -O1
if [ $machine = x86_64 ]; then
    cross golden aarch64 aarch64-linux-gnu-gcc qemu-aarch64 "portable neon" -Ofast \
        ${long:+"-O2 -ffp-contract=fast"}
    cross golden aarch64 aarch64-linux-gnu-gcc qemu-aarch64 "portable:few neon" -O2
    cross golden aarch64 aarch64-linux-gnu-gcc qemu-aarch64 "portable:few neon:few" -O0
    cross golden i686 i686-linux-gnu-gcc "" portable -O2 -Ofast
    cross golden i686 i686-linux-gnu-gcc "" portable:few -O0 "-O2 -march=i586" \
        "-O2 -mfpmath=387" "-O2 -msse2 -mfpmath=sse"
    cross tool "i686, vae" i686-linux-gnu-gcc "" auto:few -O1
    [ -z "$long" ] || cross tool "aarch64, vae" aarch64-linux-gnu-gcc qemu-aarch64 auto:few -O2
else
    add "skip|aarch64 and i686|built where x86-64 is at home"
fi
if have tcc; then
    add "golden|tcc|tcc|portable:few|"
    add "tool|tcc, vae|tcc|auto:few|"
else
    add "skip|tcc|not installed"
fi

for cc in clang gcc; do
    if ! have $cc; then add "skip|$cc|not installed"; continue; fi
    for flags in -O2 -Os -Ofast "-Ofast -march=native" ${long:+-O1 -O3 "-O3 -march=native"}; do
        add "golden|$cc $flags|$cc $flags $warnings|$isas|"
    done
    add "golden|$cc -O0|$cc -O0 $warnings|$some|"
    for flags in -O2 ${long:+-O0 -Os -Ofast}; do
        add "tool|$cc $flags, vae|$cc $flags $warnings|auto:few|"
    done
    if [ $cc = clang ]; then # gcc contracts as it is
        add "golden|clang -O2 -ffp-contract=fast|clang -O2 -ffp-contract=fast $sse2 $warnings|$isas $simd128|"
    fi
    if [ $cc = gcc ] && [ $machine = x86_64 ]; then # computes on SSE2 all the same
        add "golden|gcc -Ofast -mfpmath=387|gcc -Ofast -mfpmath=387 $warnings|portable:few|"
        [ -n "$long" ] || add "tool|gcc -Os, vae|gcc -Os $warnings|auto:few|" # its warnings are of its own
        add "golden|gcc -O2 -masm=intel|gcc -O2 -masm=intel $sse2 $warnings|$some ${simd128:+simd128:few}|"
        add "golden|a stage for every layer, image by image|gcc -O2 -DVAE__STAGE_FLOATS=1 -DVAE__WIDE=1 $warnings|$some|"
    fi
done

alone=-DVAE_ONLY_PORTABLE # half the time: the vector passes were seen once
# every standard, every warning; the optimising builds above see the warnings of the optimiser
for cc in gcc clang; do
    have $cc || continue
    for std in c99 gnu99 c11 c17 c2x; do
        for file in tests/compile/impl.c tests/compile/plain.c; do
            add "clean|$cc -std=$std $file|$cc -std=$std -fsyntax-only $warnings $file"
        done
        for file in tools/vae.c $recipes; do
            add "clean|$cc -std=$std $file|$cc -std=$std $alone -fsyntax-only $warnings $file"
        done
    done
    for file in examples/[0-9]*.c; do # many, and all alike
        add "clean|$cc -std=c99 $file|$cc -std=c99 $alone -fsyntax-only $warnings $file"
    done
done
for cc in g++ clang++; do
    if ! have $cc; then add "skip|$cc|not installed"; continue; fi
    for std in c++11 c++14 c++17 c++20; do
        for file in tests/compile/impl.cpp tests/compile/user.cpp tests/compile/stdio_first.c; do
            add "clean|$cc -std=$std $file|$cc -x c++ -std=$std -fsyntax-only $warnings $file"
        done
    done
    add "clean|$cc -O2 impl.cpp|$cc -std=c++11 -O2 $warnings -c tests/compile/impl.cpp -o /dev/null"
done

# compile only; tests/windows.sh builds and runs what is for Windows
cc=x86_64-w64-mingw32-gcc
if have $cc; then
    add "clean|mingw-w64 impl.c|$cc -fsyntax-only $warnings tests/compile/impl.c"
else
    add "skip|mingw-w64|$cc is not installed"
fi
if have clang; then
    cc="clang --target=wasm32-wasi -nostdlibinc -isystem /usr/include/wasm32-wasi"
    if echo '#include <stdlib.h>' | $cc -fsyntax-only -x c - 2>/dev/null; then
        add "clean|wasm32 impl.c|$cc -O1 $warnings -c tests/compile/impl.c -o $dir/wasm.o"
    else
        add "skip|wasm32|no C library headers for it"
    fi
    cc="clang --target=i386-linux-gnu -march=pentium -isystem /usr/i686-linux-gnu/include"
    if echo '#include <stdlib.h>' | $cc -fsyntax-only -x c - 2>/dev/null; then
        add "refused|clang i386 on the 387|$cc|VAE_ALLOW_X87"
    else
        add "skip|clang i386 on the 387|no 32-bit C library headers"
    fi
fi

# ---- the reference, then the jobs ----

reference=
for cc in gcc clang cc; do have $cc && reference=$cc && break; done
$reference -O2 tests/golden.c -o "$dir/golden" >"$dir/log" 2>&1 & # while the other processor
if ! $reference -O2 tools/vae.c -o "$dir/reference" >>"$dir/log" 2>&1 || ! wait $!; then
    cat "$dir/log"
    echo "FAIL the first build"
    echo "matrix: 0 passed, 1 failed, 0 skipped"
    exit 1
fi
"$dir/golden" auto "$dir/model" $all >"$dir/golden.expected" 2>&1
for run in $all; do
    export GOLDEN=$run
    golden=$(sed -n "${run}p" tests/golden.txt)
    hash=$(sh tests/golden.sh "$dir/reference" auto --test-images 0 --model "$dir/model" 2>&1)
    echo "$run $hash $(sha256sum <"$dir/model")" >>"$dir/tool.expected"
    # canon's own words, test set and all, must give what the shorter command gave, and the library
    if [ -n "$golden" ] && [ "$hash" = "$golden" ] &&
        [ "$(sh tests/golden.sh "$dir/reference")" = "$golden" ] &&
        grep -q "^$run $golden " "$dir/golden.expected"; then
        echo "ok tests/golden.txt, run $run"
    else
        echo "FAIL tests/golden.txt: it says $golden, golden run $run gives $hash"
        grep -v -e '^[0-9] ' "$dir/golden.expected"
    fi
done >"$dir/out"
unset GOLDEN
cat "$dir/out"
if [ -n "$filter" ]; then
    grep -F -e "$filter" "$dir/jobs" >"$dir/some"
    mv "$dir/some" "$dir/jobs"
fi
tr '\n' '\0' <"$dir/jobs" | xargs -0 -P "${JOBS:-2}" -I '{}' sh "$0" --job "$dir" '{}' |
    tee -a "$dir/out"
: >>"$dir/done"
if [ "$(wc -l <"$dir/done")" -ne "$(wc -l <"$dir/jobs")" ]; then # the script itself broke
    echo "FAIL $(wc -l <"$dir/done") variants of $(wc -l <"$dir/jobs") came to their end" |
        tee -a "$dir/out"
fi

# ---- MNIST: the public recipe, the same bits on every instruction set ----

if [ -n "${DATA-}" ]; then
    first=
    for isa in avx2 avx512; do
        if ! grep -q $isa /proc/cpuinfo; then echo "skip mnist $isa (this processor has no $isa)"; continue; fi
        "$dir/reference" train --data "$DATA" --encoder "dense 400 relu" --decoder "dense 400 relu" \
            --latent 20 --batch 128 --epochs 10 --lr 1e-3 --seed 1 --init pytorch --isa $isa >"$dir/log" 2>&1
        hash=$(sed -n 's/^params_hash *//p' "$dir/log")
        first=${first:-$hash}
        if [ -n "$hash" ] && [ "$hash" = "$first" ]; then
            echo "ok mnist $isa $hash"
        else
            echo "FAIL mnist $isa: '$hash' instead of '$first'"
        fi
    done
else
    echo "skip mnist (no DATA=folder)"
fi | tee -a "$dir/out"

passed=$(grep -c '^ok ' "$dir/out") failed=$(grep -c '^FAIL ' "$dir/out")
echo "matrix: $passed passed, $failed failed, $(grep -c '^skip ' "$dir/out") skipped"
[ "$failed" -eq 0 ]
