#!/bin/sh
# Tests of the vae command: sh tests/test_tool.sh build/vae
# Uses the built-in digits only, works in a temporary folder, and takes a few seconds.

[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: sh tests/test_tool.sh build/vae" >&2; exit 2; }
case $1 in /*) vae=$1 ;; *) vae=$(pwd)/$1 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
passed=0
failed=0
LC_ALL=C
export LC_ALL
unset NO_COLOR COLUMNS

# check NAME COMMAND...: passes if the command succeeds
check() {
    name=$1
    shift
    if "$@"; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        failed=$((failed + 1))
    fi
}

# refused NAME STATUS WORDS ARGUMENTS...: `vae ARGUMENTS` ends with the status and one line on
# stderr that begins with "vae: " and holds the words
refused() {
    name=$1 want=$2 words=$3
    shift 3
    "$vae" "$@" >refused.out 2>refused.err
    got=$?
    lines=$(wc -l <refused.err)
    if [ "$got" -eq "$want" ] && [ "$lines" -eq 1 ] && grep -q '^vae: ' refused.err &&
        grep -q -F -e "$words" refused.err; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: status $got, wanted $want and '$words', stderr: $(cat refused.err)"
        failed=$((failed + 1))
    fi
}

# Helpers that check can call.
hash_of() { sed -n 's/.*"params_hash": "\([0-9a-f]*\)".*/\1/p' "$1"; }
same_hash() { [ -n "$(hash_of "$1")" ] && [ "$(hash_of "$1")" = "$(hash_of "$2")" ]; }
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }
size_is() { [ "$(wc -c <"$1")" -eq "$2" ]; }
holds() { grep -q -e "$2" "$1"; }
lacks() { ! grep -q -e "$2" "$1"; }
missing() { [ ! -e "$1" ]; }
number_of() { sed -n "s/.*\"$1\": \\([-0-9.e+]*\\).*/\\1/p" "$2"; }
below() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 < b + 0) }'; }

small="--data digits --images 600 --test-images 100 --batch 32 --latent 4"
net="dense 32 relu"

# ---- train, and what it leaves ----

"$vae" train $small --encoder "$net" --decoder "$net" --epochs 4 --model m.safetensors \
    --json m.json >m.out 2>m.err
check train_succeeds [ $? -eq 0 ]
check train_says_nothing_on_stderr [ ! -s m.err ]
check train_prints_one_line_per_epoch [ "$(grep -c '^epoch ' m.out)" -eq 4 ]
check train_prints_no_escapes_into_a_file lacks m.out "$(printf '[\r\033]')"
check train_leaves_no_temporary_file missing m.safetensors.tmp
for word in epochs seconds images_per_second train test elbo recon kl parameters params_hash isa \
    threads version; do
    check "json_has_$word" holds m.json "\"$word\":"
done
"$vae" info m.safetensors >info.out
check info_prints_the_hash_of_training holds info.out "params_hash  $(hash_of m.json)"
check info_prints_tensors holds info.out '^encoder.0.weight  *784 x 32$'
"$vae" train $small --encoder "$net" --decoder "$net" --epochs 4 --quiet >quiet.out 2>&1
check train_quiet_prints_nothing [ ! -s quiet.out ]
"$vae" train --data digits --images 320 --test-images 0 --encoder "$net" --decoder "$net" \
    --epochs 1 --json - >json.out 2>json.err
check json_on_stdout_is_alone [ "$(head -c 1 json.out)" = "{" ]
check json_without_test_set_says_null holds json.out '"test": null'
check train_says_that_there_is_no_test_set holds json.err 'no test set'
check train_says_that_nothing_is_kept holds json.err 'without --model nothing is kept'

# ---- resume ----

run="train $small --seed 3 --warmup 1.5 --clip 5 --ema 0.9 --quiet"
"$vae" $run --encoder "$net" --decoder "$net" --epochs 6 --json whole.json
"$vae" $run --encoder "$net" --decoder "$net" --epochs 2 --model half.safetensors --resume
"$vae" $run --encoder "$net" --decoder "$net" --epochs 6 --model half.safetensors --resume \
    --json resumed.json
check resume_extends_to_the_same_bits same_hash whole.json resumed.json
"$vae" $run --encoder "$net" --decoder "$net" --epochs 6 --model half.safetensors --resume \
    --json again.json
check resume_of_a_finished_run_changes_nothing same_hash whole.json again.json
refused resume_names_the_flag_that_contradicts 2 "--lr 0.01 contradicts half.safetensors" \
    train $small --lr 0.01 --resume --model half.safetensors
refused resume_compares_architectures 2 "--encoder dense 33 relu contradicts" \
    train $small --encoder "dense 33 relu" --resume --model half.safetensors
refused resume_needs_a_model 2 "--resume needs --model" train --data digits --resume
"$vae" train $small --encoder " dense   32 relu" --resume --model half.safetensors --quiet
check resume_accepts_another_spelling [ $? -eq 0 ]

# Ctrl-C as soon as the first checkpoint is there.
long="--data digits --images 2000 --test-images 100 --latent 8 --quiet"
"$vae" train $long --epochs 30 --json long.json
"$vae" train $long --epochs 30 --model stop.safetensors &
pid=$!
while [ ! -e stop.safetensors ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -INT $pid 2>/dev/null
wait $pid
status=$?
check interrupted_run_has_status_130 [ $status -eq 130 ]
"$vae" info stop.safetensors >stop.info
check stopped_run_is_not_finished lacks stop.info 'epoch  *30 of 30'
"$vae" train $long --epochs 30 --model stop.safetensors --resume --json stop.json
check stopped_run_resumes_to_the_same_bits same_hash long.json stop.json
"$vae" train $long --epochs 30 --model kill.safetensors &
pid=$!
while [ ! -e kill.safetensors ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
"$vae" train $long --epochs 30 --model kill.safetensors --resume --json kill.json
check killed_run_resumes_to_the_same_bits same_hash long.json kill.json

# ---- the other commands ----

"$vae" eval m.safetensors --data digits --images 100 --json eval.json >eval.out
check eval_finds_the_figure_of_training [ "$(number_of elbo eval.json)" = \
    "$(sed -n 's/.*"test".*"elbo": \([-0-9.e+]*\).*/\1/p' m.json)" ]
check eval_prints_the_squared_error holds eval.out '^mse  *0\.0'
"$vae" train $small --encoder "" --decoder "" --likelihood gaussian --noise off --beta 0 \
    --epochs 20 --model lin.safetensors --quiet
check eval_prints_bits_per_dimension holds eval.out '^bits/dim  *[0-9]*\.[0-9]* +- [0-9]*\.[0-9]* (grey pixels'

# convolutions, the discretised logistic, layers in the help
"$vae" train $small --encoder "conv 4 4x4/2, batchnorm relu" --decoder "dense 196 relu, reshape 14x14x1,
    res(conv 1 3x3 tanh), convt 2 4x4/2" --likelihood logistic_pixel --epochs 1 --quiet \
    --model conv.safetensors --json conv.json
check convolutions_train [ -s conv.safetensors ]
"$vae" eval conv.safetensors --data digits --images 100 --json ceval.json >eval.out
check bits_are_nats_by_numbers_by_log_2 [ "$(awk -v e="$(number_of elbo ceval.json)" -v b="$(number_of bits_per_dim ceval.json)" \
    'BEGIN { d = -e / (784 * log(2)) - b; print (d < 1e-7 && d > -1e-7) }')" = 1 ]
"$vae" sample conv.safetensors --count 4 --out mean.png --quiet
"$vae" sample conv.safetensors --count 4 --out drawn.png --draw --quiet
check draws_are_not_means sh -c '[ -s drawn.png ] && ! cmp -s mean.png drawn.png'
"$vae" help layers >layers.txt
all_listed() { # the manual's table of layers is the one of the code
    sed -n '/^Layers/,/^$/p' layers.txt | sed '1d;$d' | cut -c3-25 | sed 's/ *$//' >syntax.txt
    [ "$(wc -l <syntax.txt)" -ge 13 ] && while read -r line; do
        grep -q -F -e "*     $line " "$root/vae.h" || { echo "not in the manual: $line"; return 1; }
    done <syntax.txt
}
check the_manual_lists_every_layer all_listed
every_density() {
    for word in $("$vae" help train | tr -d ' \n' | sed 's/.*giventhelatents(\([^;]*\);.*/\1/; s/,/ /g'); do
        grep -q "^  $word " layers.txt && grep -q -F -e "*     $word " "$root/vae.h" ||
            { echo "not in the help or the manual: $word"; return 1; }
    done
}
check help_and_manual_list_every_likelihood every_density
refused a_layer_that_is_none_is_told_with_its_column 1 "column 8: expected a layer" \
    train $small --encoder "relu,  cnov 3"
"$vae" eval lin.safetensors --data digits --json lin.json --quiet
check linear_autoencoder_beats_the_mean_image below "$(number_of mse lin.json)" 0.06
"$vae" train $small --encoder "$net" --decoder "$net" --latent 2 --epochs 1 --quiet 2>twice.err
check repeated_flag_is_refused holds twice.err 'vae: --latent is given twice'
"$vae" train --data digits --images 320 --test-images 50 --latent 2 --encoder "$net" \
    --decoder "$net" --epochs 1 --weights-only --model two.safetensors --quiet
check weights_only_file_is_smaller below "$(wc -c <two.safetensors)" "$(wc -c <m.safetensors)"
for command in "sample m.safetensors --count 9 --seed 5" "manifold two.safetensors --count 4" \
    "reconstruct m.safetensors --data digits --images 30 --first 3 --count 12" \
    "interpolate m.safetensors --data digits --images 30 --path spherical --steps 5" \
    "interpolate m.safetensors --data digits --images 30 --from 3 --to 4" \
    "traverse m.safetensors --data digits --images 30 --image 2" \
    "traverse m.safetensors --latents 3,0 --range 2 --zoom 1"; do
    rm -f picture.png
    "$vae" $command --out picture.png --quiet
    check "picture_of_$(echo "$command" | tr -cs 'a-z0-9\n' _)" is_png picture.png
done
"$vae" sample m.safetensors --count 9 --seed 5 --out a.png --quiet
"$vae" sample m.safetensors --count 9 --seed 5 --out b.png --quiet --isa portable
"$vae" sample m.safetensors --count 9 --seed 6 --out c.png --quiet
check same_seed_draws_the_same_picture cmp -s a.png b.png
check another_seed_draws_another [ "$(cksum <a.png)" != "$(cksum <c.png)" ]
"$vae" encode m.safetensors --data digits --images 30 --out codes.npy --logvar logvar.npy --quiet
check encode_writes_npy size_is codes.npy $((128 + 30 * 4 * 4))
check encode_writes_logvar size_is logvar.npy $((128 + 30 * 4 * 4))
"$vae" decode m.safetensors --in codes.npy --out codes.png --quiet
check decode_draws is_png codes.png
"$vae" decode m.safetensors --in codes.npy --out decoded.npy --quiet
check decode_writes_npy size_is decoded.npy $((128 + 30 * 784 * 4))
"$vae" score m.safetensors --data digits --images 30 >score.txt 2>score.err
check score_prints_a_number_per_image [ "$(grep -c '^[0-9.]*$' score.txt)" -eq 30 ]
"$vae" score m.safetensors --data digits --images 30 --out score.csv --quiet
check score_writes_csv [ "$(head -n 1 score.csv) $(wc -l <score.csv | tr -d ' ')" = \
    "index,neg_elbo,recon,kl 31" ]
"$vae" score m.safetensors --data digits --images 30 --out score.npy --quiet
check score_writes_npy size_is score.npy $((128 + 30 * 3 * 4))
"$vae" digits set --images 70 --test-images 20 --factors --quiet
check digits_writes_images size_is set/train-images-idx3-ubyte $((16 + 70 * 784))
check digits_writes_test_labels size_is set/t10k-labels-idx1-ubyte $((8 + 20))
check digits_writes_factors size_is set/train-factors-idx2-int $((12 + 70 * 6 * 4))
"$vae" train --data set --encoder "$net" --decoder "$net" --batch 32 --epochs 1 --quiet \
    --json a.json
"$vae" train --data digits --images 70 --test-images 20 --encoder "$net" --decoder "$net" \
    --batch 32 --epochs 1 --quiet --json b.json
check digits_in_files_are_the_built_in_ones same_hash a.json b.json
gzip -c set/train-images-idx3-ubyte >one.gz 2>/dev/null &&
    "$vae" train --data one.gz --encoder "$net" --decoder "$net" --batch 32 --epochs 1 --quiet \
        --json c.json &&
    check digits_in_gzip_are_the_same same_hash a.json c.json

# ---- colour: the built-in shapes, and pictures in every form ----

"$vae" train --data shapes --images 320 --test-images 64 --encoder "$net" --decoder "$net" \
    --latent 2 --batch 32 --epochs 2 --model s.safetensors --json s.json >s.out
check shapes_train holds s.out '^network  *32x32x3 >'
check shapes_have_a_test_set holds s.out 'shapes (test), 64 images'
for command in "sample s.safetensors --count 9" "manifold s.safetensors --count 4" \
    "reconstruct s.safetensors --data shapes --images 30 --count 12" \
    "interpolate s.safetensors --data shapes --images 30 --steps 5" \
    "traverse s.safetensors --data shapes --images 30 --image 2"; do
    rm -f picture.png
    "$vae" $command --out picture.png --quiet
    check "colour_picture_of_$(echo "$command" | tr -cs 'a-z0-9\n' _)" is_png picture.png
    check "colour_picture_of_$(echo "$command" | cut -d' ' -f1)_has_three_channels" \
        [ "$(od -An -tx1 -j24 -N2 picture.png | tr -d ' \n')" = 0802 ]
done
"$vae" eval s.safetensors --data shapes --images 64 --quiet --json seval.json
check shapes_eval_finds_the_figure_of_training [ "$(number_of elbo seval.json)" = \
    "$(sed -n 's/.*"test".*"elbo": \([-0-9.e+]*\).*/\1/p' s.json)" ]
"$vae" encode s.safetensors --data shapes --images 30 --out scodes.npy --quiet
check shapes_encode size_is scodes.npy $((128 + 30 * 2 * 4))
"$vae" decode s.safetensors --in scodes.npy --out scodes.png --quiet
check shapes_decode is_png scodes.png
"$vae" score s.safetensors --data shapes --images 30 --quiet >score.txt
check shapes_score [ "$(wc -l <score.txt)" -eq 30 ]
"$vae" shapes shapeset --images 320 --test-images 64 --factors --quiet
check shapes_writes_images size_is shapeset/train-images-idx4-ubyte $((20 + 320 * 3072))
check shapes_writes_labels size_is shapeset/t10k-labels-idx1-ubyte $((8 + 64))
check shapes_writes_factors size_is shapeset/train-factors.npy $((128 + 320 * 6 * 4))
trained() { # JSON ARGUMENTS...: the same training on other data
    json=$1
    shift
    "$vae" train "$@" --encoder "$net" --decoder "$net" --latent 2 --batch 32 --epochs 2 --quiet \
        --json "$json"
}
trained a.json --data shapeset
check shapes_in_files_are_the_built_in_ones same_hash s.json a.json
gzip shapeset/t10k-images-idx4-ubyte 2>/dev/null
trained a.json --data shapeset/train-images-idx4-ubyte --test shapeset
check one_file_of_rank_4_and_a_folder_to_test_on same_hash s.json a.json
check test_of_a_folder_takes_its_test_images [ "$(number_of elbo seval.json)" = \
    "$(sed -n 's/.*"test".*"elbo": \([-0-9.e+]*\).*/\1/p' a.json)" ]

# the same pixels as NPY: bytes behind a header of 128
{
    printf '\223NUMPY\1\0\166\0%-117s\n' \
        "{'descr': '|u1', 'fortran_order': False, 'shape': (320, 32, 32, 3), }"
    tail -c $((320 * 3072)) shapeset/train-images-idx4-ubyte
} >shapes.npy
trained a.json --data shapes.npy
check npy_of_bytes_is_the_same_data same_hash s.json a.json
check encode_reads_npy "$vae" encode s.safetensors --data shapes.npy --out npycodes.npy --quiet
head -c 5000 shapes.npy >cut.npy
refused truncated_npy 1 "cut.npy: 4872 bytes of numbers do not make its shape" \
    train --data cut.npy

# as pictures: PPM of each image, in another order than they were made
mkdir photos
for i in 19 18 17 16 15 14 13 12 11 10; do
    {
        printf 'P6 32 32 255\n'
        tail -c +$((21 + (i - 10) * 3072)) shapeset/train-images-idx4-ubyte | head -c 3072
    } >photos/$i.ppm
done
{
    printf '\223NUMPY\1\0\166\0%-117s\n' \
        "{'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3), }"
    tail -c +21 shapeset/train-images-idx4-ubyte | head -c 30720
} >ten.npy
trained a.json --data photos
trained b.json --data ten.npy
check folder_of_pictures_is_the_same_data same_hash a.json b.json
"$vae" score s.safetensors --data photos --quiet >a.txt
"$vae" score s.safetensors --data ten.npy --quiet >b.txt
check folder_of_pictures_is_in_order_of_names cmp -s a.txt b.txt
"$vae" score s.safetensors --data photos/10.ppm --quiet >c.txt
check one_picture_is_a_set [ "$(cat c.txt)" = "$(head -n 1 a.txt)" ]
"$vae" score s.safetensors --data photos --images 3 --quiet >c.txt
check folder_of_pictures_takes_the_first [ "$(cat c.txt)" = "$(head -n 3 a.txt)" ]
refused folder_of_pictures_has_no_test_part 1 "photos holds no test images" \
    eval s.safetensors --data photos --split test
mkdir sheets
for i in 1 2 3; do
    "$vae" sample s.safetensors --count 4 --seed $i --zoom 1 --out sheets/$i.png --quiet
done
"$vae" train --data sheets --encoder "$net" --decoder "$net" --batch 2 --epochs 1 >sheets.out
check folder_of_png holds sheets.out '^network  *70x70x3 >'
head -c 300 sheets/2.png >cut && cp cut sheets/2.png
refused truncated_png 1 "sheets/2.png: it is truncated" train --data sheets
cp photos/10.ppm sheets/2.png
refused pictures_of_two_sizes 1 "sheets/2.png: it has 32 x 32 pixels" train --data sheets
printf 'GIF89a' >sheets/1.png
refused picture_that_is_none 1 "sheets/1.png: it is not a PNG, PGM or PPM file" train --data sheets

# as a CIFAR-10 batch: planes, behind a class
mkdir cifar
head -c $((20 * 3073)) /dev/zero | tr '\0' '\5' >cifar/data_batch_1.bin
head -c $((10 * 3073)) /dev/zero >cifar/data_batch_4.bin
head -c $((5 * 3073)) /dev/zero | tr '\0' '\7' >cifar/test_batch.bin
"$vae" train --data cifar --encoder "$net" --decoder "$net" --batch 10 --epochs 1 >cifar.out
check cifar_trains holds cifar.out '^data  *cifar, 30 images; cifar, 5 images'
check cifar_is_colour holds cifar.out '32x32x3'
printf x >>cifar/data_batch_4.bin
refused cifar_of_a_wrong_size 1 "cifar/data_batch_4.bin: its 30731 bytes" train --data cifar
refused more_shapes_than_there_are 2 "there are 221184 different shapes" \
    train --data shapes --test-images 300000

# ---- help ----

for command in train eval sample reconstruct interpolate manifold traverse encode decode score \
    info digits shapes help version; do
    "$vae" help $command >help.out 2>&1
    check "help_${command}_has_an_example" holds help.out "^  vae $command"
done
"$vae" help train >help.out
for flag in data test images model checkpoint-every resume weights-only encoder decoder latent \
    likelihood binarize init visible-bias beta warmup noise optimizer lr schedule adam-eps clip \
    ema batch epochs seed threads isa json quiet; do
    check "help_train_explains_$flag" holds help.out "^  --$flag"
done
check help_lines_fit_80_columns lacks help.out '.\{81\}'

# ---- wrong command lines ----

refused no_command 2 "vae help"
refused unknown_command_suggests 2 "did you mean reconstruct?" reconstuct
refused unknown_flag_suggests 2 "did you mean --epochs?" train --data digits --epoch 3
refused flag_of_another_command 2 "--latents is a flag of 'vae traverse'" train --latents 3
refused missing_value 2 "--lr needs a value" train --data digits --lr
refused flag_instead_of_value 2 "--lr needs a value" train --lr --data digits
refused stray_argument 2 "'mnist' does not belong here" train mnist --data digits
refused two_models 2 "'b' does not belong here" sample a b
refused no_model 2 "needs a MODEL" sample --count 3
refused no_data 2 "needs --data" train
for value in 0 -1 3x 1.5 "" 99999999999999999999; do
    refused "latent_'$value'" 2 "--latent: '$value' is not a whole number" \
        train --data digits --latent "$value"
done
for value in 0 nan inf 0x1p3 1e 1e999 1e-999 "1 " 1,5 ""; do
    refused "lr_'$value'" 2 "--lr: '$value' is not a number" train --data digits --lr "$value"
done
refused unknown_word 2 "--likelihood: 'poisson' is none of bernoulli, gaussian" \
    train --data digits --likelihood poisson
refused bad_stages 2 "--stages: '2' is not one of" train --data digits --stages 1:1e-3,2
refused stages_contradict_schedule 2 "--stages belongs to" \
    train --data digits --schedule cosine --stages 1:1e-3
refused stages_without_stages 2 "--schedule stages needs --stages" \
    train --data digits --schedule stages
refused stages_on_resume_of_another_schedule 2 "--schedule stages contradicts" \
    train $small --stages 1:1e-3 --resume --model half.safetensors
refused no_threads 2 "--threads" train --data digits --threads 0
refused value_for_a_switch 2 "--resume takes no value" train --data digits --resume=yes
refused picture_with_another_name 2 "end the name in .png" sample m.safetensors --out a.jpg

# ---- files that are not what they should be ----

refused syntax_error_in_encoder 1 "column" train --data digits --encoder "dense 400 rellu"
refused missing_data 1 "nowhere" train --data nowhere
mkdir empty
refused folder_without_images 1 "train-images-idx3-ubyte" train --data empty
refused labels_as_images 1 "labels, not images" train --data set/train-labels-idx1-ubyte
refused model_as_data 1 "m.safetensors" train --data m.safetensors
head -c 5000 set/train-images-idx3-ubyte >cut
refused truncated_data 1 "cut" train --data cut
refused data_as_model 1 "cut" info cut
head -c 3000 m.safetensors >half
refused truncated_model 1 "half" info half
refused missing_model 1 "nothing.safetensors" info nothing.safetensors
refused model_in_no_folder 1 "no/m.safetensors cannot be written" \
    train --data digits --model no/m.safetensors
refused model_that_is_a_folder 2 "is a folder" train --data digits --model empty
refused json_in_no_folder 1 "no/a.json cannot be written" train --data digits --json no/a.json
refused manifold_of_four_latents 1 "traverse" manifold m.safetensors
refused image_beyond_the_end 2 "there is no image 99" \
    reconstruct m.safetensors --data digits --images 30 --first 99
cp codes.npy bad.npy
printf 'x' >>bad.npy
refused npy_of_the_wrong_size 1 "do not make a shape" decode m.safetensors --in bad.npy
refused npy_of_another_width 1 "has 4 latents" decode m.safetensors --in decoded.npy
refused npy_that_is_a_picture 1 "not an NPY file" decode m.safetensors --in a.png
dict="{'shape': (1, 4), 'fortran_order': False, 'descr': '<f4'}"
printf '\223NUMPY\1\0\106\0%-69s\n' "$dict" >odd.npy
printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >>odd.npy
"$vae" decode m.safetensors --in odd.npy --out odd.png --quiet
check npy_keys_may_stand_in_any_order is_png odd.png
sed "s/False, 'descr': '<f4'}/True, 'descr': '<f4'} /" odd.npy >fortran.npy
refused npy_in_fortran_order 1 "Fortran" decode m.safetensors --in fortran.npy
sed 's/<f4/<f8/' odd.npy >double.npy
refused npy_of_doubles 1 "'<f8', not '<f4'" decode m.safetensors --in double.npy
refused diverging_rate_stops_with_a_hint 1 "try an --lr below" train --data digits --images 640 \
    --likelihood gaussian --lr 1e8 --epochs 50 --model diverge.safetensors --quiet
if [ -e /dev/full ]; then
    refused model_that_is_a_device 2 "is a device" train --data digits --model /dev/full
    refused full_disk_json 1 "/dev/full cannot be written" \
        eval m.safetensors --data digits --images 30 --json /dev/full
    refused full_disk_scores 1 "/dev/full cannot be written" \
        score m.safetensors --data digits --images 30 --out /dev/full
    "$vae" info m.safetensors >/dev/full 2>full.err
    check full_disk_stdout [ $? -eq 1 ]
fi
if ln -s m.safetensors link 2>/dev/null; then
    "$vae" info link >/dev/null
    check model_through_a_link [ $? -eq 0 ]
fi

echo "tool: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
