#!/bin/sh
# Kills training at random moments and goes on: nothing may be lost or differ.
#     sh tests/test_kill.sh VAE [KILLS [SEED]]          (50 kills; the seed chooses the moments)
# A small net writes a checkpoint every epoch. SIGKILL comes at a random moment, or, every other time, as
# soon as the temporary file of a checkpoint is seen. After each the model file must be whole and no older
# than before, --resume must go on, and at the end everything must be as if nothing had happened.
# Ends with "kill: N passed, N failed".
set -u
[ $# -ge 1 ] && [ -x "$1" ] || { echo "usage: sh tests/test_kill.sh VAE [KILLS [SEED]]" >&2; exit 2; }
case $1 in /*) vae=$1 ;; *) vae=$(pwd)/$1 ;; esac
kills=${2:-50} seed=${3:-1}
LC_ALL=C
export LC_ALL
dir=$(mktemp -d) || exit 2
pid=
trap 'if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null; fi; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
passed=0 failed=0
ok() { passed=$((passed + 1)); echo "ok $1"; }
bad() { failed=$((failed + 1)); echo "FAIL $1"; }
check() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then ok "$name"; else bad "$name"; fi
}
hash_of() { "$vae" info "$1" | sed -n 's/^params_hash *//p'; }
epoch_of() { "$vae" info "$1" | sed -n 's/^epoch *\([0-9]*\) of.*/\1/p'; }
step_of() { "$vae" info "$1" | sed -n 's/^step *//p'; }
now() { date +%s.%N; }
# number N of the random moments, between 0 and LIMIT seconds
moment() { awk -v n="$1" -v seed="$seed" -v limit="$2" \
    'BEGIN { srand(seed * 1000 + n); rand(); printf "%.3f", rand() * limit }'; }
echo "moments from seed $seed"

images=2000 batch=32
per_epoch=$(((images + batch - 1) / batch))
net="dense 32 relu"
train() { # FILE EPOCHS FLAGS...
    file=$1 epochs=$2
    shift 2
    exec "$vae" train --data digits --images $images --test-images 0 --encoder "$net" \
        --decoder "$net" --latent 4 --batch $batch --seed 3 --epochs "$epochs" --model "$file" --quiet "$@"
}

# how long a start and an epoch take here, so that the kills are spread over one run
start=$(now)
(train time.safetensors 1) || { echo "FAIL training does not run"; echo "kill: 0 passed, 1 failed"; exit 1; }
middle=$(now)
(train time.safetensors 41 --resume)
end=$(now)
epochs=$(awk -v a="$start" -v b="$middle" -v c="$end" -v k="$kills" 'BEGIN {
    first = b - a; each = (c - b - first) / 40
    if (each < 0.002) each = 0.002
    n = int(8 * k / 50 / each)          # about 8 s of training for 50 kills
    if (n < 60) n = 60
    if (n > 2000) n = 2000
    print n }')
start=$(now)
(train whole.safetensors "$epochs")
status=$?
window=$(awk -v a="$start" -v b="$(now)" -v k="$kills" 'BEGIN {
    w = 1.4 * (b - a) / k
    if (w < 0.1) w = 0.1
    printf "%.3f", w }')
check "uninterrupted run of $epochs epochs" [ $status -eq 0 ]
if [ $status -ne 0 ]; then echo "kill: $passed passed, $failed failed"; exit 1; fi
want=$(hash_of whole.safetensors)

# ---- SIGKILL ----

half_written() { # FILE: a writer's temporary is there
    set -- "$1".vae-[0-9]*
    [ -e "$1" ]
}

n=0 runs=0 seen=0 last=-1 broken=0 older=0 extra=0 stuck=0 differ=0
while [ $n -lt "$kills" ]; do
    (train run.safetensors "$epochs" --resume) &
    pid=$!
    sleep "$(moment $n "$window")"
    if [ $((n % 2)) -eq 1 ]; then # and then in the middle of a save
        i=0
        while ! half_written run.safetensors && [ $i -lt 20000 ]; do i=$((i + 1)); done
    fi
    if kill -KILL $pid 2>/dev/null; then killed=1; else killed=0; fi
    wait $pid 2>/dev/null
    status=$?
    pid=
    if [ $killed -eq 1 ] && [ $status -eq 137 ]; then
        n=$((n + 1))
        ! half_written run.safetensors || seen=$((seen + 1))
        for file in run.*; do
            case $file in 'run.*' | run.safetensors | run.safetensors.vae-*) ;; *) extra=$((extra + 1)) ;; esac
        done
        if [ -e run.safetensors ]; then
            epoch=$(epoch_of run.safetensors)
            if [ -z "$epoch" ]; then
                broken=$((broken + 1))
                echo "kill $n: the model file is not valid"
                rm -f run.safetensors
            elif [ "$epoch" -lt "$last" ]; then
                older=$((older + 1))
                echo "kill $n: epoch $epoch after epoch $last"
            fi
            last=${epoch:--1}
        elif [ "$last" -ge 0 ]; then
            broken=$((broken + 1))
            echo "kill $n: the model file is gone"
            last=-1
        fi
    elif [ $status -eq 0 ]; then # it came to its end before the kill: compare, begin again
        runs=$((runs + 1))
        [ "$(hash_of run.safetensors)" = "$want" ] || differ=$((differ + 1))
        rm -f run.safetensors
        last=-1
    else
        stuck=$((stuck + 1))
        echo "kill $n: training ended with status $status"
        [ $stuck -lt 5 ] || break
    fi
done
(train run.safetensors "$epochs" --resume)
status=$?
check "$kills kills, $seen of them with a temporary file there" [ $n -eq "$kills" ]
check "some kills came in the middle of a save" [ $seen -gt 0 ]
check "the model file was whole after every kill" [ $broken -eq 0 ]
check "no checkpoint was lost" [ $older -eq 0 ]
check "nothing else was left behind" [ $extra -eq 0 ]
check "every resumed run started" [ $stuck -eq 0 ]
check "the last resumed run came to its end" [ $status -eq 0 ]
check "same hash as the uninterrupted run ($((runs + 1)) runs ended)" \
    [ "$differ-$(hash_of run.safetensors)" = "0-$want" ]
check "same model file, byte for byte" cmp -s whole.safetensors run.safetensors
check "no temporary file at the end" [ "$(echo run.*)" = run.safetensors ]

# ---- Ctrl-C in mid-epoch ----

n=0 middle=0
while [ $n -lt 20 ] && [ $middle -eq 0 ]; do
    rm -f stop.safetensors
    (train stop.safetensors "$epochs") &
    pid=$!
    while [ ! -e stop.safetensors ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
    sleep "$(moment $((1000 + n)) 0.2)"
    kill -INT $pid
    wait $pid
    status=$?
    pid=
    n=$((n + 1))
    step=$(step_of stop.safetensors)
    [ $((${step:-0} % per_epoch)) -eq 0 ] || middle=1
done
check "Ctrl-C ends training with status 130" [ $status -eq 130 ]
check "Ctrl-C in mid-epoch keeps step ${step:-?} ($n tries)" [ $middle -eq 1 ]
check "no temporary file after Ctrl-C" [ "$(echo stop.*)" = stop.safetensors ]
(train stop.safetensors "$epochs" --resume)
check "resumed run came to its end" [ $? -eq 0 ]
check "same hash after Ctrl-C" [ "$(hash_of stop.safetensors)" = "$want" ]
check "same model file after Ctrl-C" cmp -s whole.safetensors stop.safetensors

echo "kill: $passed passed, $failed failed"
[ $failed -eq 0 ]
