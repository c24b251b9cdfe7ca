#!/bin/sh
# Files on Windows: names in UTF-8, replacing, locks, kills, bytes on stdout. Compiles with mingw-w64 and runs
# under Wine.
#     sh tests/windows_files.sh build/vae [VAE.EXE]         (the command built here makes what is expected)
# LONG=1: also the tests of data, test_tool_data.sh, with the command of Windows
# Ends with "files on Windows: N passed, N failed, N skipped".
exe=${2:+$(realpath "$2")}
set -- "$1"
. "$(dirname "$0")/tool.sh"
. "$root/tests/wine.sh"
cc=x86_64-w64-mingw32-gcc
if [ -z "$wine" ] || ! command -v $cc >/dev/null 2>&1; then
    skip "files on Windows" "no compiler for Windows, or no wine"
    end "files on Windows"
fi
LC_ALL=C.UTF-8 # Wine takes names of Linux as this says
export LC_ALL
pid=
leave() {
    if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null; fi
    wine_end
    rm -rf "$dir"
}
trap leave EXIT
wine_begin

$cc -O0 -D__USE_MINGW_ANSI_STDIO=1 "$root/tests/windows_files.c" -o files.exe || exit 1
if [ -z "$exe" ]; then
    exe=$dir/vae.exe
    $cc -O1 -DVAE_ONLY_PORTABLE "$root/tools/vae.c" -o "$exe" || exit 1
fi
there() { timeout 600 "$wine" "$exe" "$@"; }

# ---- the library's calls; they leave forty pictures in the folder jörg ----

timeout 600 "$wine" files.exe >files.log 2>&1
status=$?
grep -v ' passed, ' files.log
passed=$((passed + $(grep -c '^ok ' files.log))) failed=$((failed + $(grep -c '^FAIL ' files.log)))
check "the library's tests of files end" [ $status -eq 0 ]
check "their pictures have their names" [ -e jörg/a00.png -a -e "jörg/日本 😀39.png" ]

# ---- the command: a folder of pictures trains, saves, is killed, goes on, loads ----

train() { # COMMAND FLAGS...
    command=$1
    shift
    "$command" train --data jörg --encoder "dense 20 relu" --decoder "dense 20 relu" --latent 3 --batch 8 \
        --seed 3 --quiet "$@"
}
started() { exec "$wine" "$exe" "$@"; }
train "$vae" --epochs 40 --model here.st || exit 1
train there --epochs 40 --model "jörg 日本 😀/m.st" 2>train.err
check "a folder named jörg trains, with the bits of Linux" same here.st "jörg 日本 😀/m.st"
check "no lock and no temporary stay" [ "$(ls "jörg 日本 😀")" = m.st ]

train started --epochs 100000 --model killed.st >first.log 2>&1 &
pid=$!
for _ in $(seq 600); do # a checkpoint comes every epoch
    [ -e killed.st ] && break
    sleep 0.1
done
train there --epochs 2 --model killed.st >second.log 2>&1
check "a second run on one file is refused, with the process of the first" \
    holds second.log 'process [0-9]* is writing it'
there info killed.st >info.log 2>&1
check "a file that another process writes can be read" holds info.log '^params_hash'
kill -KILL $pid
wait $pid 2>/dev/null
pid=
epoch=$(there info killed.st | sed -n 's/^epoch *\([0-9]*\) of.*/\1/p')
check "a killed run leaves a whole checkpoint" [ "${epoch:-0}" -ge 1 ]
epoch=$((${epoch:-0} + 5))
train there --resume --epochs $epoch --model killed.st >resume.log 2>&1
check "a killed run goes on" [ $? -eq 0 ]
train "$vae" --epochs $epoch --model whole.st
check "... and ends at the bits of a run that was never stopped" \
    [ "$("$vae" info killed.st | grep params_hash)" = "$("$vae" info whole.st | grep params_hash)" ]
check "what the killed run held is gone" [ -z "$(ls | grep 'killed.st.vae')" ]

# ---- stdout is bytes, and names on the command line are UTF-8 ----

"$vae" encode here.st --data jörg --out codes.npy >/dev/null 2>&1
for command in "encode M --data jörg" "score M --data jörg --format npy" "score M --data jörg" \
    "sample M --count 4" "decode M --in codes.npy"; do
    "$vae" ${command%% *} here.st ${command#* M} --out - >here.bytes 2>/dev/null
    there ${command%% *} "jörg 日本 😀/m.st" ${command#* M} --out - >there.bytes 2>wine.err
    check "the same bytes on stdout: $command" same here.bytes there.bytes
done
there score "jörg 日本 😀/m.st" --data jörg --out "jörg/é00z é.png" >refuse.log 2>&1
check "the command line's words are whole" holds refuse.log 'jörg/é00z é.png'
there encode here.st --data jörg --out jörg/../jörg/a00.png >refuse.log 2>&1
check "an image is not replaced, by whatever way it is named" [ $? -eq 2 ]
long=$(printf '%0100d/%0100d/%0100d' 1 2 3)
there encode here.st --data jörg --out "$long/codes.npy" >long.log 2>&1
check "a path of more than 260 characters is made and written" same codes.npy "$long/codes.npy"
there encode here.st --data jörg --out 'codes\of\words.npy' >slash.log 2>&1
check "folders may be parted by backslashes" same codes.npy codes/of/words.npy

# the rules of Microsoft's C library, which cmd leaves to the program
printf '@"%%~1" %s\r\n' '"a ""b"" c" d' '"a b\\" d' 'a\\\"b\c d' '"a b"" d' >words.bat
timeout 600 "$wine" cmd /c words.bat "$exe" 2>&1 | tr -d '\r' | sed -n "s/^.*unknown command '\(.*\)';.*/\1/p" \
    >words.log
printf '%s\n' 'a "b" c' 'a b\' 'a\"b\c' 'a b" d' >words.want
check "quotes and backslashes part words as documented" same words.log words.want

# ---- the tests of data, with the command of Windows (LONG=1: Wine starts for each command) ----

if [ -n "${LONG:-}" ]; then
    printf '#!/bin/sh\nLC_ALL=C.UTF-8 exec "%s" "%s" "$@"\n' "$wine" "$exe" >vae-there
    chmod +x vae-there
    ON_WINE=1 sh "$root/tests/test_tool_data.sh" "$dir/vae-there" >data.log 2>&1
    check "test_tool_data.sh passes there" [ $? -eq 0 ]
    grep '^FAIL' data.log
fi

end "files on Windows"
