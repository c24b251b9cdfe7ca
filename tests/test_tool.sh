#!/bin/sh
# Tests of the vae command: sh tests/test_tool.sh build/vae
# Uses the built-in digits only, works in a temporary folder, and takes a few seconds.
. "$(dirname "$0")/tool.sh"

# Helpers that check can call.
same_hash() { [ -n "$(hash_of "$1")" ] && [ "$(hash_of "$1")" = "$(hash_of "$2")" ]; }
number_of() { sed -n "s/.*\"$1\": \\([-0-9.e+]*\\).*/\\1/p" "$2"; }
# A background command of a shell ignores Ctrl-C unless it is told not to.
listening() {
    if env --default-signal=INT true 2>/dev/null; then exec env --default-signal=INT "$@"
    else exec perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@"; fi
}
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
(listening "$vae" train $long --epochs 30 --model stop.safetensors) &
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
    sed -n '/^Activations/q; /^  [a-z]/p' layers.txt | cut -c3-29 | sed 's/ *$//' >syntax.txt
    [ "$(wc -l <syntax.txt)" -ge 13 ] && while read -r line; do
        grep -q -F -e "*     $line " "$root/vae.h" || { echo "not in the manual: $line"; return 1; }
    done <syntax.txt
}
check the_manual_lists_every_layer all_listed
every_density() {
    "$vae" help likelihoods | sed -n '/^Examples/q; s/^  \([a-z_]*\) .*/\1/p' >densities.txt
    [ "$(wc -l <densities.txt)" -ge 8 ] && while read -r word; do
        grep -q -F -e "*     $word " "$root/vae.h" || { echo "not in the manual: $word"; return 1; }
    done <densities.txt
}
check help_and_manual_list_every_likelihood every_density
"$vae" help posteriors >posteriors.txt
check help_lists_posteriors holds posteriors.txt '^  normal '
"$vae" help priors >priors.txt
check help_lists_priors holds priors.txt '^  normal '
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
"$vae" faces faceset --images 40 --test-images 20 --factors --quiet
check faces_writes_images size_is faceset/train-images-idx4-ubyte $((20 + 40 * 3072))
check faces_writes_labels size_is faceset/t10k-labels-idx1-ubyte $((8 + 20))
check faces_writes_factors size_is faceset/train-factors.npy $((128 + 40 * 8 * 4))
for data in faces faceset; do
    "$vae" train --data $data --images 40 --test-images 20 --encoder "" --decoder "" --epochs 1 --quiet \
        --json $data.json
done
check faces_in_files_are_the_built_in_ones same_hash faces.json faceset.json
refused more_faces_than_there_are 2 "there are 73728 different faces" train --data faces --test-images 80000
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
    info digits shapes faces help version; do
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

# ---- objectives ----

tiny="--data digits --images 96 --test-images 32 --batch 32 --latent 4 --epochs 2 --threads 1 --quiet"
net16="dense 16 relu"
small_net() { "$vae" train "$@" --encoder "$net16" --decoder "$net16"; }
hash_with() { small_net $tiny "$@" --json - |
    sed -n 's/.*"params_hash": "\([0-9a-f]*\)".*/\1/p'; }
base=$(hash_with)
check a_hash_is_found [ ${#base} -eq 16 ]
acts() { # FLAGS...: they change what is learnt
    got=$(hash_with "$@")
    [ ${#got} -eq 16 ] && [ "$got" != "$base" ]
}
for flags in "--objective iwae --k 5" "--objective dreg --k 5" "--objective ae" \
    "--objective recon" "--objective kl" "--k 5" "--free-bits 1" "--warmup 1" "--sparse 1" \
    "--contract 1" "--corrupt mask" "--corrupt gaussian" "--corrupt salt_pepper" \
    "--optimizer adam_iwae" "--labels auto" "--schedule iwae" "--validate 32"; do
    check "acts:_$flags" acts $flags
done
check acts:_posterior acts --posterior "normal code tanh"
check acts:_likelihood acts --likelihood "gaussian 0.1"
same() { [ "$(hash_with $1)" = "$(hash_with $2)" ]; }
check settings_have_the_names_of_the_library same "--warmup 1 --beta 0.5" "--warmup-steps 3 --beta=0.5"
check no_noise_is_noise_off same "--noise off" "--no-noise 1"
check no_kl_is_beta_0 same "--beta 0" "--no-kl 1"
check corruption_is_the_number_of_corrupt same "--corrupt mask:0.5" "--corrupt mask --corruption 0.5"
refused two_names_of_one_setting 2 "--warmup and --warmup-steps are one setting" \
    train $tiny --warmup 1 --warmup-steps 3
refused a_default_in_disguise 2 "--batch: '0' is not possible: 0 stands for the default, 128" \
    train --data digits --batch 0
refused a_value_that_is_none 2 "--optimizer: expected one of adam, adamw, sgd, adam_iwae, found 'best'" \
    train $tiny --optimizer best
refused the_spelling_of_before 2 '--variance is now part of another flag, as in --likelihood "gaussian 0.1"' \
    train $tiny --variance 0.1
differ() { ! same "$1" "$2"; }
check iwae_is_not_dreg differ "--objective iwae --k 5" "--objective dreg --k 5"
check the_strength_of_corruption_acts differ "--corrupt mask" "--corrupt mask:0.5"
check corruption_is_0.3_by_itself same "--corrupt mask" "--corrupt mask:0.3"
check kinds_of_corruption_differ differ "--corrupt mask" "--corrupt salt_pepper"
check cycles_act differ "--warmup 1" "--warmup 1 --cycle 1"
check ae_is_no_noise_and_no_kl same "--objective ae" "--noise off --beta 0"
check recon_is_no_kl same "--objective recon" "--beta 0"
check kl_can_be_weighed differ "--objective kl" "--objective kl --beta 4"
check k_is_samples same "--objective iwae --k 3" "--objective iwae --samples 3"
check schedule_iwae_is_its_stages same "--schedule iwae" \
    "--stages 1:1e-3,3:7.197e-4,9:5.179e-4,27:3.728e-4,81:2.683e-4,243:1.931e-4,729:1.389e-4,2187:1e-4"

# what was typed survives the file: --resume with the same flags goes on, info tells them
number=0
for flags in "objective iwae --k 5" "objective dreg --k 5" "objective ae" "objective recon" \
    "objective kl" "free-bits 0.25" "sparse 0.5" "contract 0.5" "corrupt gaussian:0.7" \
    "corrupt mask:0.3" "posterior normal" "cycle 1.5 --warmup 0.5" "schedule plateau --plateau 3" \
    "lr-factor 0.3 --plateau 3" "patience 7" "noise off" "beta 0"; do
    number=$((number + 1))
    small_net $tiny --$flags --model r$number.st
    "$vae" train --data digits --images 96 --test-images 32 --epochs 3 --quiet --$flags \
        --model r$number.st --resume
    check "resume_takes_--$flags" [ $? -eq 0 ]
    "$vae" info r$number.st >r$number.info
    set -- $flags
    if [ "$1" != noise ] && [ "$1" != beta ] && [ "$1" != cycle ]; then
        check "info_tells_$1_$2" holds r$number.info "^$1  *$2\$"
    fi
done
small_net $tiny --likelihood "gaussian 0.1" --posterior "normal code tanh" --model kinds.st
"$vae" train --data digits --images 96 --test-images 32 --epochs 3 --quiet --resume --model kinds.st \
    --likelihood "gaussian  1e-1" --posterior "normal code tanh"
check resume_knows_kinds_by_any_spelling [ $? -eq 0 ]
"$vae" info kinds.st >kinds.info
check info_tells_the_likelihood holds kinds.info '^likelihood  *gaussian 0.1$'
check info_tells_the_posterior holds kinds.info '^posterior  *normal code tanh$'
refused resume_with_another_likelihood 2 "--likelihood gaussian 0.2 contradicts kinds.st" \
    train $tiny --likelihood "gaussian 0.2" --resume --model kinds.st
refused resume_with_another_setting_by_its_name 2 "--warmup-steps 5 contradicts kinds.st" \
    train $tiny --warmup-steps 5 --resume --model kinds.st
check info_tells_cycles_in_steps holds r12.info '^cycle  *5 (steps)$'
check info_of_beta_0_says_recon holds r17.info '^objective  *recon$'
refused resume_with_another_objective 2 "--objective elbo contradicts r3.st, which was made with 'ae'" \
    train $tiny --objective elbo --resume --model r3.st
refused resume_with_beta_for_an_autoencoder 2 "--beta 1 contradicts r3.st" \
    train $tiny --beta 1 --resume --model r3.st
refused resume_with_noise_for_an_autoencoder 2 "--noise on contradicts r3.st" \
    train $tiny --noise on --resume --model r3.st
refused resume_with_iwae_for_free_bits 2 "--objective iwae contradicts r6.st" \
    train $tiny --objective iwae --resume --model r6.st
refused resume_with_other_corruption 2 "--corrupt mask:0.5 contradicts r10.st" \
    train $tiny --corrupt mask:0.5 --resume --model r10.st
refused resume_with_another_k 2 "--samples 4 contradicts r1.st" \
    train $tiny --k 4 --resume --model r1.st

"$vae" train --data digits --images 96 --test-images 32 --epochs 2 --objective iwae --k 5 >iwae.out
check iwae_shows_its_bound holds iwae.out '^epoch 1/2 .*  -bound [0-9]'
check iwae_result_has_a_column_for_it holds iwae.out '  KL     -bound   nats'
check objective_is_told holds iwae.out '^objective    --objective iwae --samples 5$'
"$vae" train --data digits --images 96 --test-images 32 --epochs 2 --objective ae >ae.out
check autoencoder_shows_its_loss holds ae.out '^epoch 1/2 .*  loss [0-9].*test -ELBO .* loss [0-9]'
check elbo_needs_no_loss lacks m.out 'loss'

refused ae_with_beta 2 "--beta 4 contradicts" train $tiny --objective ae --beta 4
refused ae_with_warmup 2 "--warmup is about the KL" train $tiny --objective ae --warmup 1
refused ae_with_noise 2 "--noise on contradicts" train $tiny --objective ae --noise on
refused no_kl_with_free_bits 2 "--free-bits is about the KL" train $tiny --beta 0 --free-bits 1
refused recon_without_noise 2 "--objective ae" train $tiny --objective recon --noise off
refused kl_without_kl 2 "--beta 0 contradicts" train $tiny --objective kl --beta 0
refused iwae_without_kl 2 "--beta 0 contradicts" train $tiny --objective iwae --beta 0
refused iwae_without_noise 2 "--noise off contradicts" train $tiny --objective iwae --noise off
refused iwae_with_free_bits 2 "--free-bits does not go" train $tiny --objective iwae --free-bits 1
refused k_and_samples 2 "--k and --samples are one" train $tiny --k 2 --samples 2
refused too_many_draws 2 "from 1 to 65536" train $tiny --k 65537
refused cycle_without_warmup 2 "it needs --warmup" train $tiny --cycle 2
for word in soap mask:2 mask:0 none:1 mask: gaussian:x; do
    refused "corrupt_$word" 2 "--corrupt: '$word' is none of" train $tiny --corrupt $word
done
refused stages_twice 2 "leave --stages out" train $tiny --schedule iwae --stages 1:1e-3
refused rate_beside_stages 2 "--lr has no effect" train $tiny --schedule iwae --lr 1e-3
refused plateau_of_another_schedule 2 "--plateau belongs to" train $tiny --schedule cosine --plateau 3
refused plateau_and_stages 2 "two schedules" train $tiny --stages 1:1e-3 --plateau 3
refused factor_of_another_schedule 2 "--lr-factor belongs to" train $tiny --lr-factor 0.1

# the examples of the help page, as they stand there
"$vae" help train | sed -n '/^Examples/,$p' | sed -e ':a' -e '/\\$/N' -e 's/\\\n *//' -e 'ta' |
    sed -n 's/^  vae \(.*--data digits.*\)/\1/p' >examples.txt
check help_has_an_example_of_each_objective [ "$(wc -l <examples.txt)" -ge 15 ]
for word in 'objective ae' 'objective iwae' 'objective dreg' 'objective recon' 'objective kl' \
    '--sparse' '--contract' '--corrupt' '--beta' '--cycle' '--free-bits' '--labels'; do
    check "an_example_has_$word" holds examples.txt "$word"
done
number=0
while read -r line; do
    number=$((number + 1))
    eval "set -- $line" # the quotes are the shell's
    for last in "$@"; do :; done # the model's name
    rm -f "$last"
    "$vae" "$@" --images 64 --test-images 32 --epochs 1 --quiet </dev/null
    check "example_$number:_$line" [ $? -eq 0 -a -s "$last" ]
done <examples.txt

# ---- recipes ----

"$vae" help recipes >recipes.out
"$vae" help train | tr -d '\n' | tr -s ' ' >help.one
for recipe in iwae-paper iwae-code pytorch-example; do
    check "help_recipes_has_$recipe" holds recipes.out "^$recipe\$"
    check "help_train_has_$recipe" holds help.one "$recipe"
done
"$vae" train --data digits --images 40 --test-images 0 --recipe iwae-paper --epochs 1 \
    --model recipe.st >recipe.out
check recipe_prints_what_it_sets holds recipe.out \
    '^recipe  *iwae-paper: --encoder "dense 200 tanh, dense 200 tanh" .* --latent 50 .*--schedule iwae$'
check recipe_leaves_out_what_is_typed lacks recipe.out '--epochs 3280'
"$vae" info recipe.st >recipe.info
for line in 'encoder  *dense 200 tanh, dense 200 tanh' 'latent  *50' 'batch  *20' 'adam-eps  *0.0001' \
    'binarize  *dynamic' 'visible-bias  *mean' 'optimizer  *adam' 'epoch  *1 of 1' \
    'stages  *2:0.001,6:0.0007197,18:.*,4374:0.0001 (steps)'; do
    check "recipe_sets_$(echo "$line" | cut -d' ' -f1)" holds recipe.info "^$line\$"
done
"$vae" train --data digits --images 40 --test-images 0 --recipe iwae-paper --epochs 2 \
    --model recipe.st --resume --quiet
check recipe_resumes [ $? -eq 0 ]
refused recipe_is_compared_on_resume 2 "contradicts recipe.st" train --data digits --images 40 \
    --recipe pytorch-example --epochs 3 --model recipe.st --resume
"$vae" train --data digits --images 40 --test-images 0 --recipe iwae-code --epochs 1 --stages 1:1e-4 \
    --encoder "dense 9" --model recipe.st >recipe.out
"$vae" info recipe.st >recipe.info
check typed_stages_win holds recipe.info '^stages  *2:0.0001 (steps)$'
check typed_encoder_wins holds recipe.info '^encoder  *dense 9$'
check recipe_keeps_the_rest holds recipe.info '^optimizer  *adam_iwae$'
check recipe_says_only_what_it_set lacks recipe.out '1:1e-3'
for flags in "--stages 1:1e-4" "--plateau 3 --validate 10" "--schedule constant --lr 1e-4" "--k 2"; do
    small_net --data digits --images 40 --test-images 0 --recipe iwae-paper --epochs 1 --quiet $flags
    check "typed_wins_over_a_recipe:_$flags" [ $? -eq 0 ]
done
refused recipe_that_is_none 2 "none of iwae-paper, iwae-code" train --data digits --recipe x

# ---- held-out images, patience, the best file ----

# 60 images to train on, of which the last 20 are held out, are two sets of 40 and 20
"$vae" digits held --images 60 --test-images 30 --quiet
{ printf '\0\0\10\3\0\0\0\24\0\0\0\34\0\0\0\34'; tail -c $((20 * 784)) held/train-images-idx3-ubyte; } >last20
short="--batch 16 --epochs 3 --binarize dynamic --quiet"
small_net --data held $short --validate 20 --json a.json --log a.csv
small_net --data held $short --images 40 --test last20 --json b.json --log b.csv
untimed() { cut -d, -f1,2,4- "$1"; }
same_log() { [ "$(wc -l <"$1")" -gt 1 ] && [ "$(untimed "$1")" = "$(untimed "$2")" ]; }
check held_out_images_are_the_last same_hash a.json b.json
check held_out_images_are_the_epochs_test same_log a.csv b.csv
small_net --data held $short --images 40 --json c.json
section() { sed -n "s/.*\"$1\": \\({.*}\\).*/\\1/p" "$2"; }
check test_images_wait_for_the_end [ "$(section test a.json)" = "$(section test c.json)" ]
check json_has_the_held_out_figures [ "$(section validation a.json)" = "$(section test b.json)" ]
"$vae" train --data held --images 40 --test-images 0 --validate 10 --batch 16 --epochs 1 >held.out
check held_out_is_told holds held.out '^held out  *the last 10 of held'
check held_out_has_its_row holds held.out '^held-out  *[0-9]'
refused all_held_out 2 "leaves none of the 60" train --data held --validate 60

over="--data digits --images 64 --test-images 64 --batch 32 --lr 0.01 --epochs 60 --threads 1 --quiet"
"$vae" train $over --patience 4 --best best.st --model last.st --log over.csv --json over.json
best=$(number_of best_epoch over.json)
ended=$(number_of epochs over.json)
check patience_ends_a_run [ "${ended:-99}" -lt 60 -a "${ended:-99}" -eq $((${best:-0} + 4)) ]
check log_has_every_epoch_of_it [ "$(tail -n 1 over.csv | cut -d, -f1)" = "$ended" ]
"$vae" info best.st >best.info
check best_file_is_of_the_best_epoch holds best.info "^epoch  *$best of 60\$"
"$vae" eval best.st --data digits --images 64 --quiet --json best.json
lowest=$(tail -n +2 over.csv | cut -d, -f13 | sort -g | head -n 1)
check best_file_has_the_lowest_loss [ "$(number_of elbo best.json)" = "-$lowest" ]
check log_says_which_is_best [ "$(tail -n 1 over.csv | cut -d, -f14)" = "$best" ]
"$vae" train $over --plateau 2 --lr-factor 0.1 --log plateau.csv
check plateau_cuts_the_rate [ "$(cut -d, -f4 plateau.csv | sed -n 2p) $(tail -n 1 plateau.csv | cut -d, -f4 |
    sed 's/^1e-[0-9]*$/cut/; s/^0.00*1$/cut/')" = "0.01 cut" ]
for flag in "--patience 3" "--plateau 3" "--best b.st"; do
    refused "${flag}_without_test_images" 2 "looks at test losses" \
        train --data digits --images 64 --test-images 0 $flag
done
: >nofolder # where a folder is meant
refused best_in_no_folder 1 "nofolder/b.st: cannot be written" train $tiny --best nofolder/b.st

# ---- the log ----

small_net --data digits --images 96 --test-images 32 --batch 32 --schedule cosine --epochs 8 --quiet \
    --log whole.csv --model w.st --json whole.json
check log_has_a_row_per_epoch [ "$(wc -l <whole.csv)" -eq 9 ]
check log_has_14_columns [ "$(tr -cd ',\n' <whole.csv | sort -u)" = ",,,,,,,,,,,,," ]
check log_ends_with_the_figures_of_json [ "$(tail -n 1 whole.csv | cut -d, -f5)" = \
    "$(section train whole.json | sed 's/.*"elbo": -\([0-9.e+]*\),.*/\1/')" ]
check log_counts_steps [ "$(cut -d, -f2 whole.csv | tail -n +2 | tr '\n' ' ')" = "3 6 9 12 15 18 21 24 " ]
check log_tells_the_rate [ "$(awk -F, 'NR > 1 { d = $4 - 0.0005 * (1 + cos(3.14159265358979 * (3 * $1 - 1) / 24))
    if (d < 0) d = -d; if (d > w) w = d } END { print (w < 1e-10) }' whole.csv)" = 1 ]
"$vae" train $tiny --stages 1:1e-3,1:5e-4 --log stages.csv
check log_tells_the_stages [ "$(cut -d, -f4 stages.csv | tail -n 2 | tr '\n' ' ')" = "0.001 0.0005 " ]
small_net --data held/train-images-idx3-ubyte $short --log notest.csv
check log_without_test_images_has_holes holds notest.csv '^3,.*[0-9],,,,,$'
small_net --data held/train-images-idx3-ubyte $short --log notest.csv
check log_begins_anew_without_resume [ "$(wc -l <notest.csv)" -eq 4 ]

# killed in the midst, with checkpoints every third epoch
killed="--data digits --images 1500 --test-images 50 --latent 4 --batch 32 --epochs 120 --patience 120
    --checkpoint-every 3 --objective iwae --k 2 --encoder tanh --decoder tanh --threads 1 --quiet"
"$vae" train $killed --log all.csv --model all.st --best allbest.st
"$vae" train $killed --log some.csv --model some.st --best somebest.st &
pid=$!
while [ ! -e some.st ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
epoch=$("$vae" info some.st | sed -n 's/^epoch *\([0-9]*\) of.*/\1/p')
check kill_came_before_the_end [ "${epoch:-120}" -lt 120 ]
head -n $((epoch + 1)) some.csv >some.kept # and what a kill may leave beyond the checkpoint:
tail -n 1 some.kept | sed "s/^$epoch,/$((epoch + 1)),/" >>some.kept
printf '%s,99,0.5' $((epoch + 2)) >>some.kept
cp some.kept some.csv
cp some.st again.st
head -n $((epoch + 1)) some.kept >again.csv
printf '%s,99,0.5' $((epoch + 1)) >>again.csv
"$vae" train $killed --log some.csv --model some.st --best somebest.st --resume
check resumed_log_is_that_of_one_run same_log all.csv some.csv
check resumed_model_is_that_of_one_run cmp -s all.st some.st
check resumed_best_file_is_that_of_one_run cmp -s allbest.st somebest.st
check seconds_never_fall [ "$(cut -d, -f3 some.csv | tail -n +2 | sort -g | tr '\n' ' ')" = \
    "$(cut -d, -f3 some.csv | tail -n +2 | tr '\n' ' ')" ]
(listening "$vae" train $killed --log again.csv --model again.st --resume) & # and Ctrl-C
pid=$!
while [ "$(wc -l <again.csv)" -lt $((epoch + 10)) ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -INT $pid 2>/dev/null
wait $pid
check log_was_stopped [ $? -eq 130 ]
"$vae" train $killed --log again.csv --model again.st --resume
check stopped_log_is_that_of_one_run same_log all.csv again.csv
check stopped_model_is_that_of_one_run cmp -s all.st again.st
printf 'a,b\n1,2\n' >foreign.csv
refused log_of_something_else 1 "is not a log of vae train" \
    train $killed --log foreign.csv --model some.st --resume
check log_of_something_else_is_left_alone [ "$(cat foreign.csv)" = "$(printf 'a,b\n1,2')" ]
{ head -n 3 all.csv; tail -n 1 all.csv; } >gap.csv
refused log_with_a_gap 1 "belongs behind epoch 2" train $killed --log gap.csv --model some.st --resume
refused log_in_no_folder 1 "nofolder/l.csv: cannot be written" train $tiny --log nofolder/l.csv
refused resume_on_other_images 2 "belong to another number of training images" \
    train --data digits --images 160 --epochs 9 --resume --model r13.st --quiet

# ---- classes ----

cond() { "$vae" train "$@" --encoder "$net" --decoder "$net" --latent 4 --batch 32; }
"$vae" digits cset --images 400 --test-images 50 --quiet
cond --data digits --images 400 --test-images 50 --labels auto --epochs 20 --model c.st --json c.json >c.out
check labels_put_layers_in holds c.out \
    '28x28x1 > flatten, label 10, dense 32 relu > 4 latents > label 10, dense 32 relu > 28x28x1'
"$vae" info c.st >c.info
check info_tells_classes holds c.info '^classes  *10$'
by_labels() { cond --data "$@" --epochs 20 --quiet --json d.json && same_hash c.json d.json; }
check labels_of_a_folder by_labels cset --labels auto
check labels_of_a_file by_labels cset --labels cset/train-labels-idx1-ubyte
check labels_beside_one_file by_labels cset/train-images-idx3-ubyte --test cset --labels auto
gzip cset/train-labels-idx1-ubyte 2>/dev/null && check labels_in_gzip by_labels cset --labels auto
"$vae" train --data cset --encoder "flatten, label 10, dense 32 relu" --decoder "label 10, dense 32 relu" \
    --latent 4 --batch 32 --epochs 20 --quiet --json d.json
check layers_that_are_typed_ask_for_labels same_hash c.json d.json
"$vae" train --data shapes --images 64 --test-images 32 --encoder "conv 4 4x4/2 relu" --decoder "$net16" \
    --batch 32 --epochs 1 --labels auto >d.out
check labels_beside_pixels holds d.out '> label 3, conv 4 4x4/2 relu > 20 latents > label 3, dense 16 relu >'
cond --data digits --images 400 --test-images 50 --labels auto --epochs 25 --resume --model c.st --quiet
check labels_resume [ $? -eq 0 ]
"$vae" train --data cset --epochs 26 --resume --model c.st --quiet
check resume_finds_labels_by_itself [ $? -eq 0 ]
mkdir two && head -c $((3073 * 4)) cifar/data_batch_1.bin >two/data_batch_1.bin
cond --data two --labels auto --epochs 1 >d.out
check labels_of_cifar holds d.out '> flatten, label 6, dense 32 relu >'
rm -rf nolabels && mkdir nolabels && cp set/train-images-idx3-ubyte nolabels/
refused labels_that_are_not_there 1 "comes without labels" train --data nolabels --labels auto
refused pictures_have_no_labels 1 "comes without labels" train --data photos --labels auto
refused labels_of_other_images 1 "holds 70 labels, but held/train-images-idx3-ubyte 60 images" \
    train --data held/train-images-idx3-ubyte --labels set/train-labels-idx1-ubyte
refused images_as_labels 1 "holds no labels" train --data set --labels set/train-images-idx3-ubyte
refused classes_that_the_network_lacks 1 "the networks know 0 to 1" train --data set \
    --encoder "flatten, label 2" --decoder "label 2"
refused test_labels_alone 2 "--test-labels goes with --labels" train $tiny --test-labels auto
refused labels_for_a_plain_model 2 "was made without classes" \
    score m.safetensors --data digits --labels auto
refused labels_on_resume_of_a_plain_model 2 "was made without classes" \
    train $tiny --labels auto --resume --model r1.st

refused sample_needs_a_class 2 "c.st draws one of 10 classes: say which with --class 0 to 9" sample c.st
refused manifold_needs_a_class 2 "--class" manifold c.st
refused traverse_needs_a_class 2 "--class" traverse c.st
refused decode_needs_a_class 2 "--class" decode c.st --in codes.npy
refused class_that_is_none 2 "knows classes 0 to 9" sample c.st --class 10
refused class_of_a_plain_model 2 "was made without classes" sample m.safetensors --class 0
"$vae" sample c.st --class 0 --out a.png --quiet
"$vae" sample c.st --class 1 --out b.png --quiet
check classes_are_drawn_differently sh -c '[ -s a.png ] && [ -s b.png ] && ! cmp -s a.png b.png'
"$vae" encode c.st --data digits --images 50 --out ccodes.npy --quiet
"$vae" encode c.st --data digits --images 50 --labels cset/t10k-labels-idx1-ubyte --out dcodes.npy --quiet
check encode_takes_labels cmp -s ccodes.npy dcodes.npy
{ printf '\0\0\10\1\0\0\0\62'; head -c 50 /dev/zero; } >zeros
"$vae" encode c.st --data digits --images 50 --labels zeros --out dcodes.npy --quiet
cond --data cset --labels auto --test-labels zeros --epochs 20 --quiet --json d.json
check test_labels_are_of_the_test_alone same_hash c.json d.json
check test_labels_act [ "$(section test c.json)" != "$(section test d.json)" ]
check other_labels_give_other_codes sh -c '[ -s dcodes.npy ] && ! cmp -s ccodes.npy dcodes.npy'
ink() { # CLASS: mean pixel of what it decodes from 50 codes
    "$vae" decode c.st --in ccodes.npy --class "$1" --out ink.npy --quiet
    tail -c +129 ink.npy | od -An -v -tf4 | awk '{ for (i = 1; i <= NF; i++) s += $i; n += NF } END { print s / n }'
}
check a_one_has_less_ink_than_a_zero below "$(ink 1)" "$(ink 0)"
for command in "reconstruct c.st" "interpolate c.st --steps 5" "traverse c.st --image 2" \
    "traverse c.st --class 2"; do
    rm -f picture.png
    "$vae" $command --data digits --images 30 --out picture.png --quiet
    check "conditional_$command" is_png picture.png
done
"$vae" eval c.st --data digits --images 50 --quiet --json c1.json
"$vae" eval c.st --data digits --images 50 --labels zeros --quiet --json c2.json
"$vae" score c.st --data digits --images 50 --out c.csv --quiet
check each_image_has_its_label [ "$(awk -F, -v e="$(number_of elbo c1.json)" \
    'NR > 1 { s += $2; n++ } END { d = s / n / e + 1; print (n == 50 && d < 1e-6 && d > -1e-6) }' c.csv)" = 1 ]
check wrong_labels_cost_nats below "$(number_of elbo c2.json)" "$(number_of elbo c1.json)"

# ---- eval ----

"$vae" train --data digits --images 500 --test-images 100 --latent 5 --encoder "$net" --decoder "$net" \
    --binarize dynamic --epochs 10 --model e.st --quiet
"$vae" eval e.st --data digits --images 100 --samples 1,4,64,5000 --factors auto --threads 1 --json e1.json >e.out
"$vae" eval e.st --data digits --images 100 --samples 1,4,64,5000 --factors auto --threads 2 --quiet --json e2.json
figures() { grep -v -e seconds -e threads -e images_per "$1"; }
check figures_do_not_depend_on_threads [ "$(figures e1.json)" = "$(figures e2.json)" ]
check eval_draws_no_progress_into_a_file lacks e.out 'left'
bound() { sed -n "s/.*{\"k\": $1, \"bound\": \\([-0-9.e+]*\\), \"se\": [0-9.e+-]*}.*/\\1/p" e1.json; }
check bounds_rise_with_k sh -c "[ -n '$(bound 1)' ] && echo '$(bound 1) $(bound 4) $(bound 64) $(bound 5000)' |
    awk '{ exit !(\$1 < \$2 && \$2 < \$3 && \$3 < \$4) }'"
check one_draw_is_about_the_elbo [ "$(awk -v a="$(bound 1)" -v b="$(number_of elbo e1.json)" \
    'BEGIN { d = a - b; print (d < 1 && d > -1) }')" = 1 ]
check nll_is_the_bound_of_5000 [ "-$(number_of nll e1.json)" = "$(bound 5000)" ]
check nll_is_printed holds e.out '^NLL (5000)  *[0-9.]* +- [0-9.]*$'
check nll_in_bits [ "$(awk -v e="$(number_of nll e1.json)" -v b="$(number_of nll_bits_per_dim e1.json)" \
    'BEGIN { d = e / (784 * log(2)) - b; print (d < 1e-7 && d > -1e-7) }')" = 1 ]
check nll_is_null_unless_asked holds eval.json '"nll": null'
"$vae" score e.st --data digits --images 100 --out e.csv --quiet
errors_agree() { # mean and standard error of -ELBO, recon, KL, by the scores
    awk -F, -v want="$1" 'NR > 1 { for (i = 0; i < 3; i++) { s[i] += $(i + 2); q[i] += $(i + 2)^2 } n++ }
        END { split(want, w, " ")
            for (i = 0; i < 3; i++) { m = s[i] / n; e = sqrt((q[i] - n * m * m) / (n - 1) / n)
                if (w[2 * i + 1]^2 < (m^2) * (1 - 1e-6) || w[2 * i + 1]^2 > (m^2) * (1 + 1e-6)) exit 1
                if (w[2 * i + 2] < e * (1 - 1e-4) || w[2 * i + 2] > e * (1 + 1e-4)) exit 1 } exit n != 100 }' e.csv
}
part() { section test e1.json | sed "s/.*\"$1\": \\([-0-9.e+]*\\)[,}].*/\\1/"; }
only() { sed -n "s/.*\"$1\": \\([-0-9.e+]*\\)[,}].*/\\1/p" e1.json; }
check eval_agrees_with_score errors_agree "$(part elbo) $(only elbo_se) $(part recon) $(only recon_se) \
    $(part kl) $(only kl_se)"
list() { sed -n "s/.*\"$1\": \\[\\(.*\\)\\].*/\\1/p" e1.json | tr -d ','; }
check kl_of_latents_adds_up [ "$(list kl_per_latent | awk -v kl="$(part kl)" \
    '{ for (i = 1; i <= NF; i++) s += $i; d = s / kl - 1; print (NF == 5 && d < 1e-5 && d > -1e-5) }')" = 1 ]
check active_units_are_counted [ "$(list mu_variance | awk '{ for (i = 1; i <= NF; i++) n += $i > 0.01; print n }')" = \
    "$(number_of active_units e1.json)" ]
check latents_are_printed_by_kl [ "$(sed -n 's/^KL of each *\(.*\)/\1/p' e.out | tr ' ' '\n' | cut -d: -f2)" = \
    "$(list kl_per_latent | tr ' ' '\n' | awk '{ printf "%.2f\n", $1 }' | sort -gr)" ]
refused bounds_of_no_draws 2 "--samples: '0' is not" eval e.st --data digits --samples 1,0
refused bounds_of_too_many_draws 2 "--samples: '65537' is not" eval e.st --data digits --samples 65537
refused too_many_bounds 2 "at most 8" eval e.st --data digits --samples 1,2,3,4,5,6,7,8,9
refused bound_of_an_autoencoder 1 "has no noise" eval r3.st --data digits --images 30 --samples 5

# mutual information: what is computed, then on whose table
cat >mig.c <<'END'
#include <stdio.h>
#include "tools/statistics.h"
enum { N = 4000 };
static uint8_t bins[3 * N], codes[2 * N];
static double column[N], gap, error2;
static int values[2];
static unsigned dice(void) { static unsigned x = 1; return (x = x * 1664525u + 1013904223u) >> 16; }
static void print(size_t latents)
{
    int factors = stats_mig(N, latents, bins, 2, codes, values, &gap, &error2);
    printf("%d %.6f %d\n", factors, gap, error2 < 1e-3);
}
int main(void)
{
    stats_sample s = {0, 0, 0, 0};
    for (int i = 0; i < N; i++) column[i] = -3 + i % 5 * 0.25;
    values[0] = stats_column(column, N, codes, 2);
    for (int i = 0; i < N; i++) column[i] = 7;
    values[1] = stats_column(column, N, codes + 1, 2);
    printf("%d %d %d\n", values[0], values[1], codes[2 * 3]);
    for (int i = 0; i < N; i++) bins[i] = (uint8_t)(i % 5 * 4);
    print(1); /* a code that tells all, alone */
    for (int i = 0; i < N; i++) bins[2 * i] = (uint8_t)(i % 5 * 4), bins[2 * i + 1] = bins[2 * i];
    print(2); /* two that tell all */
    for (int i = 0; i < N; i++) bins[2 * i + 1] = (uint8_t)(dice() % 20);
    print(2); /* one beside noise: 1 but for what 76 spare cells of 4000 images seem to tell */
    for (int i = 0; i < N; i++) bins[2 * i + 1] = i % 5 < 2;
    print(2); /* beside one that tells H(2/5) = 0.673 of ln 5 = 1.609 nats: 0.5818 */
    for (int i = 0; i < N; i++) column[i] = i;
    printf("%d", stats_column(column, N, codes, 2)); /* too many values: 20 bins */
    printf(" %d %d %d\n", codes[0], codes[2 * (N / 2)], codes[2 * (N - 1)]);
    for (int i = 0; i < 64; i++) column[i] = 64 - i;
    printf("%d", stats_column(column, 64, codes, 1));
    printf(" %d %d\n", codes[0], codes[63]);
    for (int i = 1; i < 6; i++) stats_add(&s, i * i); /* 1 4 9 16 25: mean 11, deviation^2 93.5 */
    printf("%.6f %.6f %.9f\n", stats_mean(&s), stats_error2(&s), stats_log(10));
    return 0;
}
END
if "${CC:-cc}" -I"$root" mig.c -o mig 2>/dev/null && ./mig >mig.out 2>&1; then
    check mig_of_known_codes [ "$(sed 's/ 0\.99[0-9]* / near_1 /' mig.out | tr '\n' '/')" = \
        "5 1 3/1 1.000000 1/1 0.000000 1/1 near_1 1/1 0.581834 1/20 0 10 19/64 63 0/11.000000 18.700000 2.302585093/" ]
else
    echo "skipped mig_of_known_codes: no compiler"
fi
"$vae" eval s.safetensors --data shapes --images 64 --factors auto --json f1.json >f.out
"$vae" eval s.safetensors --data shapeset --split train --images 64 --factors shapeset/train-factors.npy \
    --quiet --json f2.json
"$vae" eval s.safetensors --data shapes --split train --images 64 --factors auto --quiet --json f3.json
check mig_is_printed holds f.out '^MIG  *0\.[0-9]* +- 0\.[0-9]* over 6 factors$'
check mig_of_a_table_is_that_of_the_set [ -n "$(number_of mig f2.json)" -a \
    "$(number_of mig f2.json) $(number_of mig_se f2.json)" = "$(number_of mig f3.json) $(number_of mig_se f3.json)" ]
"$vae" digits fset --images 40 --test-images 40 --factors --quiet
"$vae" eval e.st --data fset --factors fset/t10k-factors-idx2-int --quiet --json f4.json
"$vae" eval e.st --data digits --images 40 --factors auto --quiet --json f5.json
check mig_of_an_idx_table [ -n "$(number_of mig f4.json)" -a "$(number_of mig f4.json)" = "$(number_of mig f5.json)" ]
"$vae" eval e.st --data fset --factors fset/t10k-labels-idx1-ubyte >f.out
check one_column_is_a_table holds f.out 'over 1 factors'
refused factors_that_are_not_known 2 "knows the built-in sets only" eval e.st --data fset --factors auto
refused factors_of_other_images 1 "holds 40 rows, but held/t10k-images-idx3-ubyte 30 images" \
    eval e.st --data held --factors fset/train-factors-idx2-int
{
    printf '\223NUMPY\1\0\166\0%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }"
    printf '\0\0\0\0\0\0\300\177\0\0\200\077'
} >nan.npy
refused factors_that_are_not_finite 1 "holds a number in row 1 that is not finite" \
    eval e.st --data digits --images 3 --factors nan.npy
refused constant_factors 1 "has one value only" eval e.st --data digits --images 50 --factors zeros

# ---- every setting of the library is a flag ----

"$vae" help train >help.out
settings=$(sed -n 's/^    VAE__[A-Z0-9]*_ROW(\([a-z0-9_]*\),.*/\1/p' "$root/vae.h" | tr _ -)
check settings_are_found [ "$(echo "$settings" | wc -l)" -ge 40 ]
for name in $settings; do
    case $name in inference | keep-gradients) continue ;; esac
    check "--${name}_is_a_flag" holds help.out "^  --$name "
done
tr -s ' \n' '  ' <help.out >help.one
check every_flag_has_a_sentence_of_its_own [ "$(grep -c 'see vae\.h' help.one)" -eq 0 ]
check ranges_and_defaults_are_told holds help.out '(1 to 16777216; default 128)'
# a setting that the command has never heard of
mkdir -p later/tools
cp "$root"/tools/*.[ch] later/tools
sed 's/^    int patience; .*/    int toy_setting;\n&/; s/^    VAE__INT_ROW(patience,.*/    VAE__INT_ROW(toy_setting, 5, 1, 9),\n&/' \
    "$root/vae.h" >later/vae.h
if "${CC:-cc}" -O0 -DVAE_ONLY_PORTABLE later/tools/vae.c -o later/vae; then
    later/vae help train >later.out
    check a_new_setting_is_a_flag_at_once holds later.out '^  --toy-setting VALUE .*(1 to 9; default 5)$'
    later/vae train $tiny --encoder "" --decoder "" --toy-setting 7 --model later.st
    later/vae info later.st >later.info
    check and_is_kept holds later.info '^toy-setting  *7$'
    later/vae train $tiny --toy-setting 10 2>later.err
    check and_has_its_range holds later.err 'toy-setting: expected a whole number from 1 to 9'
    later/vae train $tiny --toy-setting 8 --resume --model later.st 2>later.err
    check and_is_compared_on_resume holds later.err '^vae: --toy-setting 8 contradicts later.st'
else
    echo "skipped a_new_setting_is_a_flag_at_once: no compiler"
fi

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
for value in -1 3x 1.5 "" 99999999999999999999; do
    refused "latent_'$value'" 2 "--latent: " \
        train --data digits --latent "$value"
done
for value in 0 nan inf 0x1p3 1e 1e999 1e-999 "1 " 1,5 ""; do
    refused "lr_'$value'" 2 "--lr: " train --data digits --lr "$value"
done
refused unknown_word 1 "expected a likelihood, found 'poisson'; 'vae help likelihoods' lists them" \
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
refused model_in_no_folder 1 "nofolder/m.safetensors: cannot be written" \
    train --data digits --model nofolder/m.safetensors
refused model_that_is_a_folder 2 "is a folder" train --data digits --model empty
refused json_in_no_folder 1 "nofolder/a.json: cannot be written" train --data digits --json nofolder/a.json
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
"$vae" decode m.safetensors --in fortran.npy --out fortran.png --quiet
check npy_in_fortran_order_is_read cmp -s odd.png fortran.png
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

# a file that the command of commit c0426e9 wrote in the middle of a run (tests/old/make.sh)
cp "$root/tests/old/tool.safetensors" old.safetensors
"$vae" train --data "$root/tests/old/images.idx" --test "$root/tests/old/images.idx" --validate 20 \
    --model old.safetensors --quiet --resume --epochs 8 --json old.json
check old_file_goes_on [ $? -eq 0 ]
check old_file_ends_at_the_old_parameters [ "$(hash_of old.json)" = "$(head -n 1 "$root/tests/old/tool.hash")" ]
check old_file_ends_as_the_old_file [ "$(cksum <old.safetensors)" = "$(tail -n 1 "$root/tests/old/tool.hash")" ]

end tool
