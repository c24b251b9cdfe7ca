#!/bin/sh
# Decoding on Cortex-M3, M4 and M7 under qemu-system-arm, without a C library: the bits of this machine,
# no more stack while loading than promised, no more code than promised; nor in a program for x86-64.
#     sh tests/devices.sh          Prints ok, FAIL or skip; ends with "devices: N passed, N failed, N skipped".
#     sh tests/devices.sh size     bytes of code of the decoder on each, linked, as make size tells them
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cc=arm-none-eabi-gcc
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow"
smallest="-DVAE_ONLY_DECODE -DVAE_NO_CONV -DVAE_NO_MESSAGES"
more="-DVAE_NO_TRAIN -DVAE_NO_CONV -DVAE_NO_DENSITIES -DVAE_NO_DATA -DVAE_NO_MESSAGES" # could encode and draw
most_stack=6144
most_code=46000 most_more=60000 most_text=64000 # Cortex-M4, twice; x86-64, all that `size` calls text
m4="-mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16"

fail() { echo "FAIL $1"; tail -n 30 "$dir/log" | cut -c1-300 | sed 's/^/    /'; }
build() { # NAME FLAGS...: $dir/NAME.elf
    name=$1
    shift
    $cc -mthumb -Os -ffreestanding -ffunction-sections -fdata-sections $warnings "$@" -I"$dir" \
        tests/devices/device.c -nostdlib -T tests/devices/link.ld -Wl,--gc-sections -lgcc \
        -o "$dir/$name.elf" >"$dir/log" 2>&1 && [ ! -s "$dir/log" ]
}
code() { # NAME: bytes, without the model
    ${cc%gcc}size -A "$dir/$1.elf" | awk '$1 == ".text" || $1 == ".ARM.exidx" || $1 == ".data" { n += $2 } END { print n }'
}
told() { # NAME BYTES MOST: a row of the table, or whether it is as small as promised
    if [ "$size" ]; then printf '%-20s %6.1f KB\n' "$1" "$(echo "$2" | awk '{ print $1 / 1000 }')"; return; fi
    echo "$2 bytes of code, at most $3" >"$dir/log"
    if [ "$2" -le "$3" ]; then echo "ok $1: $(cat "$dir/log")"; else fail "$1: size"; fi
}
program() { # a decoder for x86-64 in one pass, linked as gcc does by itself
    name="x86-64, text"
    if [ "$(uname -m)" != x86_64 ] || ! command -v gcc >/dev/null 2>&1; then
        echo "skip $name (not on this machine)"
    elif ! gcc -Os $warnings $smallest -DVAE_NO_STDIO -DVAE_NO_THREADS -DVAE_ONLY_PORTABLE tests/devices/decoder.c \
        -o "$dir/decoder" >"$dir/log" 2>&1 || [ -s "$dir/log" ]; then
        fail "$name: compiles"
    else
        told "$name" "$(size "$dir/decoder" | awk 'NR == 2 { print $1 }')" $most_text
        if [ "$size" ]; then return; fi
        if "$dir/decoder" "$dir/model" >"$dir/log" && cmp -s "$dir/log" "$dir/host.txt"; then echo "ok $name: the same bits"
        else fail "$name: the same bits"; fi
    fi
}
device() { # NAME MACHINE FLAGS...
    name=$1 machine=$2
    shift 2
    if ! build "$name" $smallest "$@"; then fail "$name compiles and links without a library"; return; fi
    echo "ok $name compiles and links without a library"
    if [ "$size" ] || [ "$name" = cortex-m4 ]; then told "$name" "$(code "$name")" $most_code; fi
    if [ "$size" ]; then return; fi
    if ! command -v qemu-system-arm >/dev/null 2>&1; then
        echo "skip decode on $name (qemu-system-arm is not installed)"
        return
    fi
    timeout 120 qemu-system-arm -machine "$machine" -nographic -monitor none -serial none \
        -semihosting-config enable=on,target=native -kernel "$dir/$name.elf" </dev/null >"$dir/log" 2>&1
    status=$?
    grep -v '^stack' "$dir/log" >"$dir/says"
    if [ $status -eq 0 ] && cmp -s "$dir/says" "$dir/host.txt"; then echo "ok $name has the bits of this machine"
    else fail "$name has the bits of this machine"; fi
    stack=$(sed -n 's/^stack while loading 0*//p' "$dir/log")
    if [ -n "$stack" ] && [ "$stack" -le $most_stack ]; then echo "ok $name: $stack bytes of stack while loading"
    else fail "$name: stack while loading, at most $most_stack"; fi
}

size=$([ "${1-}" = size ] && echo yes)
{
    if ! "${CC:-cc}" -O1 $warnings tests/devices/host.c -o "$dir/host" >"$dir/log" 2>&1 ||
        ! "$dir/host" "$dir/model.h" "$dir/model" >"$dir/host.txt" 2>"$dir/log"; then
        fail "this machine's own decode"
    else
        program
        if ! command -v $cc >/dev/null 2>&1; then
            echo "skip devices ($cc is not installed)"
        else
            device cortex-m3 mps2-an385 -mcpu=cortex-m3
            device cortex-m4 mps2-an386 $m4
            if build "m4-more" $more $m4; then told "cortex-m4, NO_TRAIN" "$(code m4-more)" $most_more
            else fail "cortex-m4, NO_TRAIN compiles"; fi
            device cortex-m7 mps2-an500 -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16
        fi
    fi
} >"$dir/out"
if [ "$size" ]; then grep -e ' KB$' -e '^FAIL' -e '^skip' -e '^    ' "$dir/out"; exit; fi
cat "$dir/out"
passed=$(grep -c '^ok ' "$dir/out") failed=$(grep -c '^FAIL ' "$dir/out")
echo "devices: $passed passed, $failed failed, $(grep -c '^skip ' "$dir/out") skipped"
[ "$failed" -eq 0 ]
