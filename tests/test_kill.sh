#!/bin/sh
# Kills training at random moments and goes on: nothing may be lost or differ.
#     sh tests/test_kill.sh VAE [KILLS [SEED]]          (50 kills; the seed chooses the moments)
# A small net writes its log, its best model and a checkpoint every epoch. SIGKILL comes at a random moment,
# or, three times of four, as soon as the temporary file of the model, of the best model or of the log is
# seen; KILLS counts the kills with such a file there. After each, all three must be whole: the model no
# older than before, a row of the log for each of its epochs, its best model kept. --resume must go on, and
# at the end everything must be as if nothing had happened.
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
    exec $listening "$vae" train --data digits --images $images --test-images 50 --encoder "$net" \
        --decoder "$net" --latent 4 --batch $batch --seed 3 --threads 1 --epochs "$epochs" --model "$file" \
        --best "${file%.*}.best" --log "${file%.*}.csv" --quiet "$@"
}
# a background command of a shell ignores Ctrl-C unless it is told not to
if env --default-signal=INT true 2>/dev/null; then listening="env --default-signal=INT"
else listening="perl -e \$SIG{INT}='DEFAULT';exec@ARGV"; fi

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
    if (n > 150) n = 150
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
in_a_save() { half_written run.safetensors || half_written run.best || half_written run.csv; }
rows_of() { # LOG: its last epoch, or nothing if it is not whole
    awk -F, 'NR == 1 { good = $1 == "epoch" && NF == 14; next }
        NF != 14 || $1 != NR - 1 { good = 0 }
        END { if (good) print NR - 1 }' "$1"
    [ -z "$(tail -c 1 "$1" | tr -d '\n')" ] || echo "and a half"
}
without_time() { cut -d, -f1,2,4- "$1"; } # the column `seconds` is another in each run

n=0 runs=0 seen=0 last=-1 broken=0 older=0 extra=0 stuck=0 differ=0 logs=0 bests=0
without_time whole.csv >whole.rows
# RUN ENDED: everything is as in the uninterrupted run
as_whole() {
    without_time run.csv >run.rows
    cmp -s whole.safetensors run.safetensors && cmp -s whole.best run.best && cmp -s whole.rows run.rows
}
while [ $seen -lt "$kills" ] && [ $n -lt $((4 * kills)) ]; do
    (train run.safetensors "$epochs" --resume) &
    pid=$!
    sleep "$(moment $n "$window")"
    case $((n % 4)) in # and then in the middle of a save
        1) file=run.safetensors ;; 2) file=run.best ;; 3) file=run.csv ;; *) file= ;;
    esac
    i=0
    while [ -n "$file" ] && ! half_written $file && [ $i -lt 20000 ]; do i=$((i + 1)); done
    if kill -KILL $pid 2>/dev/null; then killed=1; else killed=0; fi
    wait $pid 2>/dev/null
    status=$?
    pid=
    if [ $killed -eq 1 ] && [ $status -eq 137 ]; then
        n=$((n + 1))
        ! in_a_save || seen=$((seen + 1))
        for file in run.*; do
            case $file in
                'run.*' | run.safetensors | run.best | run.csv | run.rows) ;;
                run.*.vae-lock | run.safetensors.vae-* | run.best.vae-* | run.csv.vae-*) ;;
                *) extra=$((extra + 1)); echo "kill $n: $file" ;;
            esac
        done
        if [ -e run.safetensors ]; then
            "$vae" info run.safetensors >run.rows 2>/dev/null
            epoch=$(sed -n 's/^epoch *\([0-9]*\) of.*/\1/p' run.rows)
            best=$(sed -n 's/^best *epoch \([0-9]*\),.*/\1/p' run.rows)
            if [ -z "$epoch" ]; then
                broken=$((broken + 1))
                echo "kill $n: the model file is not valid"
                rm -f run.safetensors
            elif [ "$epoch" -lt "$last" ]; then
                older=$((older + 1))
                echo "kill $n: epoch $epoch after epoch $last"
            fi
            last=${epoch:--1}
            rows=$(rows_of run.csv)
            if ! [ "${rows:--1}" -ge "$last" ]; then
                logs=$((logs + 1))
                echo "kill $n: the log ends with '$rows', the model has epoch $last"
            fi
            of_best=$(epoch_of run.best)
            if ! [ "${of_best:--1}" -ge "${best:-0}" ]; then
                bests=$((bests + 1))
                echo "kill $n: the best model has epoch '$of_best', not ${best:-0}"
            fi
        elif [ "$last" -ge 0 ]; then
            broken=$((broken + 1))
            echo "kill $n: the model file is gone"
            last=-1
        fi
    elif [ $status -eq 0 ]; then # it came to its end before the kill: compare, begin again
        runs=$((runs + 1))
        as_whole || differ=$((differ + 1))
        rm -f run.*
        last=-1
    else
        stuck=$((stuck + 1))
        echo "kill $n: training ended with status $status"
        [ $stuck -lt 5 ] || break
    fi
done
(train run.safetensors "$epochs" --resume)
status=$?
check "$n kills, $seen of them with a temporary file there" [ $seen -eq "$kills" ]
check "the model file was whole after every kill" [ $broken -eq 0 ]
check "no checkpoint was lost" [ $older -eq 0 ]
check "the log was whole, and had the rows of the model" [ $logs -eq 0 ]
check "the best model was there, and whole" [ $bests -eq 0 ]
check "nothing else was left behind" [ $extra -eq 0 ]
check "every resumed run started" [ $stuck -eq 0 ]
check "the last resumed run came to its end" [ $status -eq 0 ]
check "same hash as the uninterrupted run" [ "$(hash_of run.safetensors)" = "$want" ]
check "model, best model and log as without kills ($((runs + 1)) runs ended)" \
    eval 'as_whole && [ $differ -eq 0 ]'
rm -f run.rows
check "no temporary file at the end" [ "$(echo run.*)" = "run.best run.csv run.safetensors" ]

# ---- Ctrl-C in mid-epoch ----

n=0 middle=0
while [ $n -lt 20 ] && [ $middle -eq 0 ]; do
    rm -f stop.*
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
check "no temporary file after Ctrl-C" [ "$(echo stop.*)" = "stop.best stop.csv stop.safetensors" ]
(train stop.safetensors "$epochs" --resume)
check "resumed run came to its end" [ $? -eq 0 ]
check "same hash after Ctrl-C" [ "$(hash_of stop.safetensors)" = "$want" ]
check "same model file after Ctrl-C" cmp -s whole.safetensors stop.safetensors

echo "kill: $passed passed, $failed failed"
[ $failed -eq 0 ]
