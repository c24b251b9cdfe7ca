#!/bin/sh
# The numbered examples, each compiled by plain cc and run: sh tests/examples.sh [PART OF A NAME].
# One line each: name, seconds of processor time, the number and the bound it must meet. What a program
# draws is in out/examples. Fails what does not compile without a word, ends with another status than 0,
# draws nothing, or runs for more than LIMIT seconds (20: the aim is 10, on a machine that may be slower).
# JOBS=2 of them at a time. Ends with "N passed, N failed".
# SHARED=1 compiles the implementation of vae.h once for all of them, which is most of the time.
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL

if [ "${1-}" = --one ]; then
    name=$(basename "$2" .c) program=build/examples/$(basename "$2" .c)
    compile() {
        if [ -z "${SHARED:-}" ]; then "${CC:-cc}" "$1" -o "$program"; return; fi
        sed 's/^#define VAE_IMPLEMENTATION$//' "$1" >"$program.c" &&
            "${CC:-cc}" -iquote examples "$program.c" build/examples/vae.o -o "$program"
    }
    rm -f "$program" "out/examples/$name.png"
    if ! compile "$2" >"$program.log" 2>&1 || [ -s "$program.log" ]; then
        why="does not compile without a word"
    else
        ( # the second line of `times` is what the children of this shell took
            (ulimit -t "${LIMIT:-20}"; exec "$program") >"$program.log" 2>&1
            echo $?
            times
        ) >"$program.times"
        status=$(head -n 1 "$program.times")
        seconds=$(tail -n 1 "$program.times" | awk '{ split($1, a, /[ms]/); print a[1] * 60 + a[2] }')
        why=
        [ -s "out/examples/$name.png" ] || why="drew nothing"
        [ "$status" = 0 ] || why="ended with status $status"
        [ "$status" -lt 128 ] || why="ran for more than ${LIMIT:-20} s"
    fi
    if [ -z "$why" ]; then
        printf 'ok %-26s %5.1f s   %s\n' "$name" "$seconds" "$(tail -n 1 "$program.log")"
    else
        printf 'FAIL %s: %s\n' "$name" "$why"
        tail -n 20 "$program.log" | sed 's/^/    /'
    fi
    exit 0
fi

mkdir -p build/examples out/examples
if [ -n "${SHARED:-}" ]; then
    "${CC:-cc}" -c tests/compile/impl.c -o build/examples/vae.o || exit 1
fi
for file in examples/[0-9]*.c; do
    case $file in *"${1-}"*) echo "$file" ;; esac
done |
    xargs -n 1 -P "${JOBS:-2}" sh tests/examples.sh --one | {
        passed=0 failed=0
        while IFS= read -r line; do # awk would keep the lines until the end
            printf '%s\n' "$line"
            case $line in
            "ok "*) passed=$((passed + 1)) ;;
            "FAIL "*) failed=$((failed + 1)) ;;
            esac
        done
        # plain and packed files have one name: an error must name the file that is wrong
        program=build/examples/01_pca folder=build/examples/damaged file=build/examples/damaged/train-images-idx3-ubyte
        case 01_pca in
        *"${1-}"*)
            rm -rf "$folder" && mkdir -p "$folder" && echo damaged >"$file"
            if "$program" "$folder" >"$program.log" 2>&1 || ! grep -qF "$file: " "$program.log"; then
                echo "FAIL a damaged file of a folder is named"
                sed 's/^/    /' "$program.log"
                failed=$((failed + 1))
            else
                echo "ok a damaged file of a folder is named"
                passed=$((passed + 1))
            fi
            ;;
        esac
        echo "$passed passed, $failed failed"
        [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    }
