#!/bin/sh
# Tests of the vae command as a process: paths, runs, signals, descriptors, logs, terminals.
#     sh tests/test_tool_runs.sh build/vae
# Ends with "runs: N passed, N failed, N skipped".
. "$(dirname "$0")/tool.sh"

same_as_before() { cmp -s "$1" "$1.before"; }
nothing_beside() { # no lock and no temporary file is left in this folder or below it
    left=$(find . -name '*.vae-*' -o -name '*.tmp')
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}
# A background command of a shell ignores Ctrl-C unless it is told not to.
listening() {
    if env --default-signal=INT true 2>/dev/null; then exec env --default-signal=INT,PIPE,HUP "$@"
    else exec perl -e '$SIG{INT} = $SIG{PIPE} = $SIG{HUP} = "DEFAULT"; exec @ARGV' "$@"; fi
}
wait_for() { # FILE PID: until the file is there, or the process has ended
    while [ ! -e "$1" ] && kill -0 "$2" 2>/dev/null; do sleep 0.02; done
}

set="--data digits --images 64 --test-images 16"
run="$set --encoder relu --decoder relu --latent 2 --quiet"
"$vae" train $run --epochs 2 --model m.st || { echo "FAIL training does not run"; exit 1; }
"$vae" digits idx --images 20 --test-images 10 --quiet
train_set=idx/train-images-idx3-ubyte

# ---- one command names a file twice ----

# twice NAME WORDS FILE ARGUMENTS...: refused, and the file is as it was
twice() {
    twice_name=$1 words=$2 file=$3
    shift 3
    cp "$file" "$file.before"
    refused "$twice_name" 2 "$words" "$@"
    check "${twice_name}_leaves_the_file" same_as_before "$file"
    rm -f "$file.before"
}
plain="--encoder relu --decoder relu --latent 2 --epochs 1 --quiet"
twice model_is_data "the same file" $train_set train --data $train_set $plain --model $train_set
twice best_is_data "the same file" $train_set train --data $train_set $plain --best ./$train_set \
    --test idx
twice log_is_data "the same file" $train_set train --data $train_set $plain --log idx/../$train_set
twice json_is_data "the same file" $train_set train --data $train_set $plain --json "$dir/$train_set"
ln -s $train_set link.idx
ln $train_set hard.idx
twice model_is_a_link_to_data "the same file" $train_set \
    train --data $train_set $plain --model link.idx
check the_link_is_still_one [ -L link.idx ]
twice model_is_a_hard_link_to_data "the same file" $train_set \
    train --data $train_set $plain --model hard.idx
twice data_is_a_link_to_model "the same file" $train_set \
    train --data link.idx $plain --model $train_set
rm -f link.idx hard.idx
test_set=idx/t10k-images-idx3-ubyte
twice model_is_test "the same file" $test_set \
    train --data $train_set --test $test_set $plain --model $test_set
labels=idx/train-labels-idx1-ubyte
twice model_is_labels "the same file" $labels \
    train --data $train_set --labels $labels $plain --model $labels
twice model_is_the_labels_beside "the same file" $labels \
    train --data $train_set --labels auto $plain --model $labels
twice model_is_in_the_data_folder "the same file" $labels \
    train --data idx --labels auto $plain --model $labels
twice log_is_in_the_test_folder "the same file" $test_set \
    train --data $train_set --test idx/ $plain --log $test_set
ln -s idx otherway
twice data_folder_is_a_link "the same file" $test_set train --data otherway $plain --json $test_set
rm otherway
refused a_file_that_the_data_folder_would_read 2 "the same file" \
    train --data idx $plain --model idx/t10k-images.idx3-ubyte
check and_is_not_made missing idx/t10k-images.idx3-ubyte
"$vae" train --data idx $plain --model idx/model.st --json idx/figures.json
check another_file_in_the_data_folder_is_fine [ -s idx/model.st ]
"$vae" encode idx/model.st --data idx --out idx/t10k-images-codes.npy --quiet
check so_is_one_whose_name_begins_like_a_set [ -s idx/t10k-images-codes.npy ]
rm -f idx/model.st idx/figures.json idx/t10k-images-codes.npy
for name in t10k-labels-idx1-ubyte.gz data_batch_5.bin test_batch.bin; do
    refused "$name in the data folder" 2 "the same file" train --data idx $plain --model "idx/$name"
done
mkdir photos
printf 'P5 4 4 255\n0123456789abcdef' >photos/a.pgm
cp photos/a.pgm photos/b.pgm
"$vae" train --data photos $plain --model p.st
ln -s ../photos/a.pgm idx/linked.png # a name that is allowed for a picture, and leads to a photo
twice picture_is_a_photo "the same file" photos/a.pgm \
    reconstruct p.st --data photos --out idx/linked.png
rm -f idx/linked.png
refused a_new_picture_among_photos 2 "the same file" reconstruct p.st --data photos --out photos/r.png
check and_it_is_not_made missing photos/r.png
for pair in "--model --best" "--model --log" "--model --json" "--best --log" "--best --json" \
    "--log --json"; do
    name=$(echo "$pair" | tr -cd a-z)
    refused "${name}_new" 2 "the same file" train $run --epochs 1 ${pair% *} new ${pair#* } ./new
    check "${name}_nothing_is_made" missing new
done
refused log_and_json_under_folders_that_are_not_there 2 "the same file" \
    train $run --epochs 1 --log deep/er/f --json deep/./er//f
check folders_made_for_nothing_are_removed missing deep
for flag in --model --best --log; do # only what may go to stdout can be called so
    refused "a_dash_for_$flag" 2 "$flag - is not a file; name one" train $run --epochs 1 $flag -
done
refused a_file_that_is_the_folder_of_another 2 "is the folder of another file" \
    train $run --epochs 1 --model part --log part/l.csv
refused a_file_that_is_the_lock_of_another 2 "lock files" \
    train $run --epochs 1 --model part --log part.vae-lock
check nothing_of_both_is_made missing part
cp m.st o.png
twice sample_over_the_model "the same file" o.png sample o.png --out ./o.png --count 1
for command in encode score eval; do
    case $command in eval) flag=--json ;; *) flag=--out ;; esac
    twice ${command}_over_the_model "the same file" m.st $command m.st --data digits $flag m.st
    twice ${command}_over_the_data "the same file" $train_set \
        $command m.st --data $train_set $flag $train_set
done
refused encode_both_tables_to_one_file 2 "the same file" \
    encode m.st --data idx --out c.npy --logvar ./c.npy
refused encode_both_tables_to_stdout 2 "--out and --logvar would both go to stdout" \
    encode m.st --data idx --out - --logvar /dev/stdout
"$vae" encode m.st --data idx --out codes.npy --quiet
twice decode_over_its_input "the same file" codes.npy decode m.st --in codes.npy --out codes.npy
: >both
"$vae" train $run --epochs 1 --log both >>both 2>both.err
check log_is_where_the_output_goes [ $? -eq 2 ]
check log_is_where_the_output_goes_is_told holds both.err 'the same file'

printf 'my thesis\n' >thesis.txt
cp thesis.txt thesis.txt.before
refused log_that_is_a_thesis 1 "is not a log" train $run --epochs 1 --log thesis.txt --model t.st
check thesis_is_as_it_was same_as_before thesis.txt
check and_no_model_is_made missing t.st
"$vae" score m.st --data digits --images 3 --out /dev/fd/1 >fd.txt 2>fd.err
check dev_fd_1_is_stdout [ "$(wc -l <fd.txt)" -eq 3 ]
: >empty.csv
"$vae" train $run --epochs 1 --log empty.csv
check an_empty_file_becomes_a_log [ "$(wc -l <empty.csv)" -eq 2 ]
"$vae" train $run --epochs 2 --log empty.csv
check a_log_is_replaced_without_resume [ "$(wc -l <empty.csv)" -eq 3 ]

# ---- names ----

for flag in --model --best --log --json; do
    refused "empty_name_of_${flag#--}" 2 "$flag: the name is empty" train $run --epochs 1 $flag ""
done
for flag in --data --test --labels --test-labels; do
    refused "empty_name_of_${flag#--}" 2 "$flag: the name is empty" train $flag ""
done
refused empty_name_of_out 2 "--out: the name is empty" sample m.st --out=
refused empty_name_of_logvar 2 "--logvar: the name is empty" encode m.st --data idx --logvar ""
refused empty_name_of_in 2 "--in: the name is empty" decode m.st --in ""
refused empty_name_of_a_model 2 "the name of the MODEL is empty" info ""
refused empty_name_of_a_folder 2 "the name of the FOLDER is empty" digits ""
refused name_that_ends_in_a_slash 2 "is a folder" train $run --epochs 1 --model new/

"$vae" train $run --epochs 1 --model made/a/m.st --best made/b/c/best --log made/l/l.csv \
    --json made/j/j.json
check folders_of_train_are_made [ -s made/a/m.st -a -s made/b/c/best -a -s made/l/l.csv -a \
    -s made/j/j.json ]
"$vae" sample m.st --count 1 --out made/pictures/s.png --quiet
check folders_of_pictures_are_made is_png made/pictures/s.png
"$vae" encode m.st --data idx --out made/c/c.npy --logvar made/d/l.npy --quiet
check folders_of_tables_are_made [ -s made/c/c.npy -a -s made/d/l.npy ]
"$vae" score m.st --data idx --out made/s/s.csv --quiet
check folders_of_scores_are_made [ -s made/s/s.csv ]
"$vae" digits made/sets/digits --images 3 --test-images 2 --quiet
check folders_of_sets_are_made [ -s made/sets/digits/train-images-idx3-ubyte ]
refused a_failing_command_leaves_no_folders 1 "nosuch" \
    train --data nosuch --model gone/a/m.st --log gone/b/l.csv
check no_folders missing gone
refused a_file_where_a_folder_is_meant 1 "a part of the path is not a folder" \
    train $run --epochs 1 --model m.st/x

long=$(printf '%0200d' 1 | tr 0 n)
"$vae" train $set --encoder relu --decoder relu --latent 2 --epochs 1 --model "$long" \
    --json long.json >long.out
check long_names_are_printed_whole holds long.out "^file  *$long\$"
check long_names_stand_in_json holds long.json "\"model\": \"$long\""
odd=$(printf 'odd\033[2J\002\302\233name\177\nvae: no') # cursor, C0, C1 in UTF-8, DEL, a line
"$vae" train $set --encoder relu --decoder relu --latent 2 --epochs 1 --model "$odd" >odd.out 2>&1
check an_odd_name_is_written [ -s "$odd" ]
harmless() { # no control character but the newline
    [ "$(tr -d '\n' <"$1" | tr -d '\040-\176' | wc -c)" -eq 0 ] || { od -c "$1" | head; return 1; }
}
check an_odd_name_is_printed_harmless harmless odd.out
check an_odd_name_is_spelled holds odd.out \
    '^file  *odd\\x1b\[2J\\x02\\xc2\\x9bname\\x7f\\x0avae: no$'
"$vae" info "$odd.not" 2>odd.err
check an_odd_name_in_an_error_is_harmless harmless odd.err
check an_error_is_one_line [ "$(wc -l <odd.err)" -eq 1 ]
"$vae" train --data digits "--$odd" 2>odd.err
check an_odd_flag_is_harmless harmless odd.err
"$vae" "$odd" 2>odd.err
check an_odd_command_is_harmless harmless odd.err
cafe=$(printf 'caf\303\251.st')
"$vae" train $set --encoder relu --decoder relu --latent 2 --epochs 1 --model "$cafe" >cafe.out
check letters_beyond_ascii_are_printed holds cafe.out "^file  *$cafe\$"
# marks of direction, an invisible space, a byte that is not UTF-8: as vae_report shows them
bidi=$(printf 'ab\342\200\256gpj\330\234\342\201\246\342\200\213\344.st')
"$vae" info "$bidi" 2>bidi.err
check marks_of_direction_are_spelled holds bidi.err \
    'ab\\xe2\\x80\\xaegpj\\xd8\\x9c\\xe2\\x81\\xa6\\xe2\\x80\\x8b\\xe4'
"$vae" train --data digits "--$bidi" 2>bidi.err
check marks_of_direction_in_a_flag_are_spelled holds bidi.err '^vae: unknown flag --ab\\xe2\\x80\\xaegpj\\xd8'
rm -f "$odd" "$cafe" "$long"

# ---- resume compares all of a setting ----

layers=$(awk 'BEGIN { for (i = 0; i < 150; i++) printf "relu, "; print "dense 9 relu" }')
other=$(awk 'BEGIN { for (i = 0; i < 150; i++) printf "relu, "; print "dense 8 relu" }')
"$vae" train $set --encoder "$layers" --decoder relu --latent 2 --epochs 1 --model deep.st --quiet
refused long_strings_that_differ_at_their_ends 2 "contradicts deep.st" \
    train $set --encoder "$other" --resume --model deep.st --quiet
"$vae" train $set --encoder "$layers" --resume --model deep.st --quiet
check long_strings_that_are_equal [ $? -eq 0 ]
stages() { awk -v last="$1" 'BEGIN { for (i = 1; i < 16; i++) printf "%d:0.00%d,", 100000 + i,
    i; print "123456:" last }'; }
"$vae" train $run --epochs 1 --stages "$(stages 0.0012345678901)" --model stages.st
refused long_stages_that_differ_at_their_ends 2 "contradicts stages.st" \
    train $run --stages "$(stages 0.0012345678902)" --resume --model stages.st
"$vae" train $run --epochs 1 --stages "$(stages 0.0012345678901)" --resume --model stages.st
check long_stages_that_are_equal [ $? -eq 0 ]
zeros=$(printf '%080d' 0 | sed 's/.$//')
refused a_long_number_is_not_cut 2 "--stages" train $run --stages "1:0.001${zeros}x"
refused a_long_draw_is_not_cut 2 "--samples" eval m.st --data idx --samples "${zeros}1x"
refused a_long_latent_is_not_cut 2 "--latents" traverse m.st --latents "${zeros}1x"

# ---- what the system does not tell ----

if strace -o trace true 2>/dev/null; then
    cp m.st m.st.before
    # failing NAME FILE WORDS ARGUMENTS...: the state of the file cannot be found out
    failing() {
        name=$1 file=$2 words=$3
        shift 3
        strace -f -o trace -P "$file" -e trace=%%stat,readlink \
            -e inject=%%stat:error=EIO "$vae" "$@" >failing.out 2>failing.err
        got=$?
        if [ $got -eq 1 ] && grep -q -F -e "$words" failing.err && grep -q INJECTED trace; then
            check "$name" true
        else
            echo "status $got, stderr: $(cat failing.err)"
            check "$name" false
        fi
    }
    failing stat_of_a_model_on_resume m.st "m.st cannot be looked at" \
        train $run --epochs 3 --resume --model m.st
    check and_the_model_is_as_it_was same_as_before m.st
    cp empty.csv log.csv
    cp log.csv log.csv.before
    failing stat_of_a_log log.csv "log.csv cannot be looked at" \
        train $run --epochs 1 --log log.csv
    check and_the_log_is_as_it_was same_as_before log.csv
    failing stat_of_labels idx/train-labels-idx1-ubyte "cannot be looked at" \
        train --data $train_set --labels auto $plain
    failing stat_of_a_set idx/t10k-images-idx3-ubyte "cannot be looked at" \
        train --data idx $plain
    failing stat_of_a_target c.npy "c.npy cannot be looked at" encode m.st --data idx --out c.npy
else
    skip stat_that_fails "strace does not run here"
fi
cc32=${CC32:-i686-linux-gnu-gcc}
if "$cc32" -static -O0 -DVAE_ONLY_PORTABLE "$root/tools/vae.c" -o vae32 2>/dev/null &&
    ./vae32 version >/dev/null 2>&1; then
    truncate -s 3G large.st
    ./vae32 train $run --epochs 1 --resume --model large.st 2>large.err
    check a_large_model_on_32_bits_is_not_missing [ $? -eq 1 ]
    check a_large_model_on_32_bits_is_left [ "$(wc -c <large.st)" -eq 3221225472 ]
    ./vae32 train $run --epochs 1 --log large.st 2>large.err
    check a_large_log_on_32_bits_is_not_missing [ $? -eq 1 ]
    check a_large_log_on_32_bits_is_left [ "$(wc -c <large.st)" -eq 3221225472 ]
    rm -f large.st
else
    skip large_files_on_32_bits "$cc32 does not build or run programs"
fi

# ---- signals ----

slow="--data digits --images 2000 --test-images 0 --latent 8 --batch 100 --epochs 400"
for signal in INT TERM HUP; do
    (listening "$vae" train $slow --model $signal.st --log $signal.csv >$signal.out 2>&1) &
    pid=$!
    wait_for $signal.st $pid
    kill -$signal $pid
    wait $pid
    check ${signal}_has_its_status [ $? -eq $((128 + $(kill -l $signal 2>/dev/null || case $signal \
        in INT) echo 2 ;; HUP) echo 1 ;; *) echo 15 ;; esac))) ]
    check ${signal}_saves holds $signal.out '^stopped after step [0-9]*; .* is saved'
    check ${signal}_leaves_nothing_behind nothing_beside
done
(listening "$vae" train $slow --model twice.st >twice.out 2>&1) & # as timeout does it
pid=$!
wait_for twice.st $pid
kill -TERM $pid
kill -TERM $pid
wait $pid
check the_same_signal_at_once_is_one holds twice.out '^stopped after step'
# a step takes seconds (in the portable pass on any machine); the second Ctrl-C does not wait for its
# end, unless it is over by then and the model is saved, or training has not begun: then it is tried again
long="--data digits --images 4000 --test-images 0 --batch 4000 --latent 8 --epochs 20 --threads 1 --isa portable"
cp m.st slow.st
cp m.st slow.st.before
n=0 ended=0 half=0
while [ $n -lt 10 ] && [ $ended -eq 0 ]; do
    n=$((n + 1))
    (listening "$vae" train $long --encoder "dense 500 relu" --decoder "dense 500 relu" \
        --model slow.st --checkpoint-every 20 >slow.out 2>&1) &
    pid=$!
    wait_for slow.st.vae-lock $pid
    sleep $((n / 2 + 1))
    kill -INT $pid 2>/dev/null
    sleep 0.4
    if kill -INT $pid 2>/dev/null; then still=1; else still=0; fi # else before training began
    wait $pid
    status=$?
    "$vae" info slow.st >/dev/null 2>&1 || half=1
    [ $still -eq 0 ] || grep -q '^stopped after step' slow.out || ! cmp -s slow.st slow.st.before || ended=1
    [ $ended -eq 1 ] || cp slow.st.before slow.st
done
check a_second_interrupt_has_its_status [ $status -eq 130 ]
check a_second_interrupt_ends_at_once [ $ended -eq 1 ]
check a_second_interrupt_leaves_a_whole_file [ $half -eq 0 ]
check a_second_interrupt_leaves_the_old_file same_as_before slow.st
check a_second_interrupt_leaves_nothing_behind nothing_beside
for signal in INT HUP; do # as in the background of a shell, and as nohup does it
    (trap '' $signal; exec "$vae" train $slow --model ignored.st --quiet) &
    pid=$!
    wait_for ignored.st $pid
    kill -$signal $pid
    sleep 0.5
    check an_ignored_${signal}_stays_ignored kill -TERM $pid
    wait $pid
    check and_does_not_end_it_$signal [ $? -eq 143 ]
    rm -f ignored.st
done

mkfifo pipe
(listening "$vae" train $slow --model pipe.st >pipe 2>pipe.err) &
pid=$!
head -n 8 <pipe >pipe.out
wait $pid
check a_broken_pipe_has_its_status [ $? -eq 141 ]
check a_broken_pipe_says_nothing [ ! -s pipe.err ]
"$vae" info pipe.st >pipe.info 2>&1
step=$(sed -n 's/^step *//p' pipe.info)
check a_broken_pipe_saves [ "${step:-0}" -gt 0 ]
check a_broken_pipe_leaves_nothing_behind nothing_beside
(listening sh -c '"$1" eval m.st --data digits --images 300 --json e.json; echo $? >eval.status' - \
    "$vae" 2>/dev/null) | true
check a_broken_pipe_of_eval_leaves_nothing_behind nothing_beside

# one step is an epoch, and takes long beside all else: the signal comes in an epoch's last step
last="--data digits --images 500 --test-images 100 --batch 500 --encoder \"dense 700 relu\" --latent 8"
last="$last --schedule cosine --epochs 40 --threads 1"
eval "\"\$vae\" train $last --model whole.st --log whole.csv" >whole.out
n=0 hit=0
while [ $n -lt 20 ] && [ $hit -eq 0 ]; do
    n=$((n + 1))
    rm -f last.st last.csv
    eval "(listening \"\$vae\" train $last --model last.st --log last.csv >last.out 2>&1) &"
    pid=$!
    wait_for last.st $pid
    sleep 0.0$((n % 9))
    kill -INT $pid
    wait $pid
    "$vae" info last.st >last.info
    step=$(sed -n 's/^step *//p' last.info) epoch=$(sed -n 's/^epoch *\([0-9]*\) of.*/\1/p' last.info)
    [ "$step" -eq "$epoch" ] || hit=1
done
check a_signal_came_in_the_last_step_of_an_epoch [ $hit -eq 1 ]
eval "\"\$vae\" train $last --model last.st --log last.csv --resume" >last.out
check no_rate_of_0_is_printed lacks last.out ' 0 images/s'
cut -d, -f1,2,4- whole.csv >whole.rows
cut -d, -f1,2,4- last.csv >last.rows
check the_log_is_that_of_the_whole_run cmp whole.rows last.rows
"$vae" train $run --epochs 2 --model m2.st --json m2.json
"$vae" train $run --epochs 2 --model m2.st --json m2.json --resume
check a_run_without_steps_has_no_speed holds m2.json '"images_per_second": null'

cp m.st limited.st
cp m.st limited.st.before
(ulimit -f 2; exec "$vae" train $run --epochs 1 --model limited.st) >limited.out 2>&1
check a_file_size_limit_is_an_error [ $? -eq 1 ]
check a_file_size_limit_is_told holds limited.out '^vae: limited.st: .*the file would be too large'
check and_the_old_file_stays same_as_before limited.st
(ulimit -f 1; exec "$vae" score m.st --data digits --images 300 --quiet) >limited.out 2>limited.err
check a_file_size_limit_of_stdout_is_an_error [ $? -eq 1 ]
check nothing_is_left_behind nothing_beside

# ---- descriptors ----

data="--data digits --images 64 --test-images 16 --encoder relu --decoder relu --latent 2 --epochs 2"
"$vae" train $data --model fd.st --log fd.csv --json fd.json >fd.out 2>&1
for closed in "0" "1" "2" "0 1" "1 2" "0 1 2"; do
    which=$(echo "$closed" | tr -d ' ')
    sh -c "exec \"\$0\" \"\$@\" $(for fd in $closed; do
        [ "$fd" = 0 ] && printf '<&- ' || printf '%s>&- ' "$fd"; done)" \
        "$vae" train $data --model fd$which.st --log fd$which.csv --json fd$which.json >fd.out 2>fd.err
    check "train_without_descriptors_$which" [ $? -eq 0 ]
    check "model_without_descriptors_$which" cmp -s fd.st fd$which.st
    cut -d, -f1,2,4- fd.csv >fd.rows
    cut -d, -f1,2,4- fd$which.csv >fdx.rows
    check "log_without_descriptors_$which" cmp -s fd.rows fdx.rows
    check "json_without_descriptors_$which" \
        [ "$(head -c 1 fd$which.json)$(tail -n 1 fd$which.json)" = "{}" ]
done
"$vae" train $data --json - --quiet >&- 2>closed.err
check json_to_a_closed_stdout [ $? -eq 1 ]
check json_to_a_closed_stdout_is_told holds closed.err '^vae: .*cannot be written'
"$vae" score m.st --data idx >&- 2>closed.err
check scores_to_a_closed_stdout [ $? -eq 1 ]
"$vae" score m.st --data idx --out /dev/stdout >&- 2>closed.err
check scores_to_a_closed_dev_stdout [ $? -eq 1 ]
"$vae" info m.st >&- 2>closed.err
check info_to_a_closed_stdout [ $? -eq 1 ]
"$vae" eval m.st --data idx >&- 2>closed.err
check eval_to_a_closed_stdout [ $? -eq 1 ]
"$vae" help train >&- 2>closed.err
check help_to_a_closed_stdout [ $? -eq 1 ]
"$vae" sample m.st --count 1 --out closed.png >&-
check a_picture_without_stdout [ $? -eq 0 ]
if [ -e /dev/full ]; then
    for command in "score m.st --data idx" "info m.st" "eval m.st --data idx" "help" "version" \
        "train $run --epochs 1 --json -"; do
        "$vae" $command >/dev/full 2>full.err
        check "full_disk_$(echo "$command" | cut -d' ' -f1)" [ $? -eq 1 ]
        check "full_disk_is_told" holds full.err '^vae: .*cannot be written: No space left'
    done
fi
"$vae" encode m.st --data idx --out - --quiet >codes.out
check a_table_to_stdout cmp -s codes.out codes.npy
"$vae" encode m.st --data idx --out /dev/stdout >codes.out 2>/dev/null
check a_table_to_dev_stdout_is_alone cmp -s codes.out codes.npy
(exec "$vae" encode m.st --data idx --out pipe --quiet) &
cat pipe >codes.out
wait $!
check a_table_to_a_pipe cmp -s codes.out codes.npy
check the_pipe_is_still_one [ -p pipe ]
"$vae" encode m.st --data idx --out /dev/null --logvar /dev/null --quiet
check tables_to_dev_null [ $? -eq 0 -a -c /dev/null ]
refused a_log_that_is_a_pipe 2 "is a device" train $run --epochs 1 --log pipe
check nothing_at_all_is_left_behind nothing_beside

# ---- terminals ----

if script -q -c true /dev/null >/dev/null 2>&1 </dev/null; then
    # on_terminal SETTINGS COMMAND: what it writes to a terminal, in terminal.out
    on_terminal() {
        timeout 60 script -q -c "stty cols ${columns:-80}; $1 exec '$vae' $2" /dev/null \
            </dev/null >terminal.out 2>&1
    }
    widest() { # the longest line that would stand on the screen before the next one replaces it
        tr '\r' '\n' <terminal.out | grep -a '^epoch.*left' | awk '{ if (length > n) n = length }
            END { print n + 0 }'
    }
    bar="train --data digits --images 4000 --test-images 0 --latent 2 --epochs 2"
    for columns in 100 40 10 1; do
        on_terminal "TERM=xterm" "$bar"
        check "train_on_$columns columns" holds terminal.out 'params_hash'
        check "no_live_line_is_wider_than_$columns columns" [ "$(widest)" -lt "$columns" ]
    done
    columns=0
    for width in 1 0 99999999999999999999; do
        on_terminal "TERM=xterm COLUMNS=$width" "$bar"
        check "COLUMNS_$width" holds terminal.out 'params_hash'
    done
    columns=80
    on_terminal "TERM=xterm" "$bar"
    check the_progress_is_drawn_on_a_terminal holds terminal.out 'epoch 1/2 \['
    for setting in "TERM=dumb" "TERM=" "env -u TERM"; do
        on_terminal "${setting#env*}" "$bar" # a setting, or nothing
        case $setting in env*) timeout 60 env -u TERM script -q -c "stty cols 80; unset TERM; \
            exec '$vae' $bar" /dev/null </dev/null >terminal.out 2>&1 ;; esac
        check "no_progress_with_$setting" lacks terminal.out 'epoch 1/2 \['
        check "no_escapes_with_$setting" lacks terminal.out "$(printf '\033')"
    done
else
    skip terminals "no script command"
fi

# ---- memory ----

refused memory_that_is_no_number 2 "--max-memory: '12Q' is not" info m.st --max-memory 12Q
refused memory_of_0 2 "--max-memory: '0' is not" info m.st --max-memory 0
refused memory_that_overflows 2 "is not" info m.st --max-memory 18446744073709551615K
refused a_model_beyond_the_limit 1 "--max-memory" sample m.st --max-memory 1K --count 1
refused a_resume_beyond_the_limit 1 "--max-memory" \
    train $run --epochs 9 --resume --model m.st --max-memory 10K
for command in "info m.st" "eval m.st --data idx --quiet" "sample m.st --count 1 --quiet" \
    "score m.st --data idx --quiet" "encode m.st --data idx --quiet --out c2.npy"; do
    "$vae" $command --max-memory 1G >memory.out 2>&1
    check "memory_is_an_option_of_$(echo "$command" | cut -d' ' -f1)" [ $? -eq 0 ]
done

# ---- what a model file says is looked at without believing it ----

refused info_on_a_pipe 1 "plain file" info pipe
(sleep 20 >pipe) & # somebody has it open, and writes nothing
holder=$!
refused info_on_a_pipe_that_is_open 1 "plain file" info pipe
kill $holder 2>/dev/null
wait $holder 2>/dev/null
refused info_on_a_device 1 "plain file" info /dev/zero
refused info_on_a_folder 1 "folder" info idx
(i=0; while [ $i -lt 2000 ]; do cat m.st; i=$((i + 1)); done) >growing &
holder=$!
timeout 20 "$vae" info growing >growing.out 2>&1
check info_on_a_growing_file_ends [ $? -le 1 ]
kill $holder 2>/dev/null
wait $holder 2>/dev/null
# a network whose activations would take gigabytes, but whose parameters are few
wide="dense 2 relu, dense 100000 relu, dense 2"
"$vae" train --data digits --images 4 --test-images 0 --encoder "$wide" --decoder relu --latent 2 \
    --batch 4000 --epochs 1 --threads 1 --model wide.st --max-memory 16G --quiet 2>/dev/null
if [ -s wide.st ]; then
    (ulimit -v 400000; exec "$vae" info wide.st) >wide.out 2>&1
    check info_plans_no_activations holds wide.out '^params_hash'
else
    skip info_plans_no_activations "this machine has no room for the model"
fi
rm -f wide.st growing

# ---- threads ----

cat >nothreads.c <<'END'
#include <errno.h>
int pthread_create(void *a, const void *b, void *c, void *d) {
    (void)a; (void)b; (void)c; (void)d;
    return EAGAIN;
}
END
if "${CC:-cc}" -shared -fPIC nothreads.c -o nothreads.so 2>/dev/null; then
    LD_PRELOAD="$dir/nothreads.so" "$vae" train $set --encoder relu --decoder relu --latent 2 \
        --epochs 2 --model t1.st >threads.out 2>&1
    check a_thread_that_is_refused_is_done_without [ $? -eq 0 ]
    check one_thread_is_told lacks threads.out '[0-9] threads'
    "$vae" train $run --epochs 2 --model t2.st
    check with_the_same_bits cmp -s t1.st t2.st
    LD_PRELOAD="$dir/nothreads.so" "$vae" train $run --epochs 3 --model t1.st --resume
    check resumed_without_threads [ $? -eq 0 ]
    LD_PRELOAD="$dir/nothreads.so" "$vae" eval m.st --data idx --quiet
    check eval_without_threads [ $? -eq 0 ]
    LD_PRELOAD="$dir/nothreads.so" "$vae" train $run --epochs 1 --threads 2 >threads.out 2>&1
    check a_thread_that_was_asked_for_is_not [ $? -eq 1 ]
    check that_is_told holds threads.out 'thread'
else
    skip threads "no compiler for a shared library"
fi

# ---- latents at their limit ----

"$vae" train --data digits --images 256 --test-images 50 --batch 32 --encoder relu --decoder relu \
    --latent 3 --objective recon --lr 1 --beta1 0.5 --adam-eps 1e-30 --epochs 30 --model far.st \
    >far.out
check train_names_latents_at_their_limit holds far.out 'at limit .*latent [0-9]'
"$vae" eval far.st --data digits --images 40 --json far.json >far.out
check eval_names_latents_at_their_limit holds far.out 'at limit .*latent [0-9]'
check json_has_latents_at_their_limit holds far.json '"logvar_at_limit": \[[01]'
"$vae" eval m.st --data digits --images 40 >near.out
check eval_names_no_others lacks near.out 'at limit'
check nothing_is_left_at_the_end nothing_beside

end runs
