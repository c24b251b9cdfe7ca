#!/bin/sh
# Tests of what codes are good for, and of mixtures:
#     sh tests/test_tool_codes.sh build/vae
# Works in a temporary folder. Its inputs are made by python3. Ends with "tool codes: N passed, N
# failed, N skipped".
. "$(dirname "$0")/tool.sh"

python=/usr/bin/python3
[ -x "$python" ] || python=python3

# ---- gmm ----

# a table of float32 in NPY: table FILE ROWS COLUMNS, the numbers on stdin
table() {
    "$python" -c 'import struct, sys
name, rows, cols = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
head = "{\x27descr\x27: \x27<f4\x27, \x27fortran_order\x27: False, \x27shape\x27: (%d, %d), }" % (rows, cols)
head = head.ljust(117) + "\n"
numbers = [float(word) for word in sys.stdin.read().split()]
with open(name, "wb") as file:
    file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode())
    file.write(struct.pack("<%df" % len(numbers), *numbers))' "$@"
}
numbers_of() { # FILE: what a table of float32 holds, one number a line
    "$python" -c 'import struct, sys
data = open(sys.argv[1], "rb").read()[128:]
print("\n".join("%.6g" % v for v in struct.unpack("<%df" % (len(data) // 4), data)))' "$1"
}

gmm_tests() {
    "$python" -c 'import random
random.seed(4)
for i in range(900):
    x, y = random.gauss(0, 1), random.gauss(0, 1)
    print([-5, 4, 2][i % 3] + .5 * x, [1, 4, -6][i % 3] + .5 * y)' | table clusters.npy 900 2
    "$vae" gmm --data clusters.npy --components 3 --out three.npy --json three.json >three.txt
    check gmm_fits "$python" -c 'import json
course = json.load(open("three.json"))["course"]
assert len(course) > 1 and all(b >= a - 1e-9 for a, b in zip(course, course[1:])), course'
    numbers_of three.npy >three.numbers
    check gmm_finds_three_clusters "$python" -c 'import math
v = [float(line) for line in open("three.numbers")]
rows = sorted((v[5 * k:5 * k + 5] for k in range(3)), key=lambda r: r[1])
for r, centre in zip(rows, [(-5, 1), (2, -6), (4, 4)]):
    assert abs(math.exp(r[0]) - 1 / 3) < 1e-3, r
    assert abs(r[1] - centre[0]) < .1 and abs(r[2] - centre[1]) < .1, r
    assert abs(math.exp(r[3]) - .25) < .08 and abs(math.exp(r[4]) - .25) < .08, r'
    "$vae" gmm --data clusters.npy --components 3 --out again.npy --quiet
    check gmm_gives_the_same_bytes_again same three.npy again.npy
    "$vae" gmm --data clusters.npy --components 1 --full --out full.npy --validate 90 >full.txt
    check gmm_tests_on_rows_held_out grep -q '^held-out .* 90 images$' full.txt
    check gmm_full_writes_its_matrix test "$(numbers_of full.npy | wc -l)" -eq 9
    check gmm_full_has_ones_on_the_diagonal \
        test "$(numbers_of full.npy | sed -n '6p;7p;9p' | tr '\n' ' ')" = "1 0 1 "
    "$vae" gmm --data digits --images 300 --test-images 50 --components 3 --iterations 3 \
        --picture digits.png --count 9 >digits.txt
    check gmm_draws_a_picture test "$(head -c 4 digits.png | tail -c 3)" = PNG
    check gmm_tests_on_test_images grep -q '^test .* 50 images$' digits.txt
    refused gmm_needs_as_many_rows 1 "at least as many rows" gmm --data clusters.npy \
        --components 901
    refused gmm_takes_a_component_at_least 2 "from 1 to" gmm --data clusters.npy --components 0
    refused gmm_full_is_for_few_numbers 1 "784 numbers; a full covariance is for 512 at most" \
        gmm --data digits --images 10 --full --components 2
    echo 1 2 nan 4 | table nan.npy 2 2
    refused gmm_refuses_nan 1 "image 1: number 0 is NaN" gmm --data nan.npy --components 1
    refused gmm_reads_images 1 "labels, not images" gmm --data labels.idx --components 1
    refused gmm_test_has_the_same_numbers 1 "but clusters.npy of 2" gmm --data clusters.npy \
        --test nan3.npy --components 1
}

# ---- prior ----

prior_tests() {
    "$vae" train --data digits --images 400 --test-images 0 --objective ae --latent 4 --epochs 3 \
        --encoder "dense 40 relu" --decoder "dense 40 relu" --model ae.safetensors --quiet
    cp ae.safetensors ae.before
    "$vae" prior ae.safetensors --gmm 5 --data digits --images 400 --out five.safetensors >five.txt
    check prior_fits_the_means_of_an_autoencoder grep -q '^codes .* 400 of 4 numbers, the means$' \
        five.txt
    check prior_leaves_the_model_alone same ae.safetensors ae.before
    check prior_is_stored_with_the_model sh -c '"$0" info five.safetensors |
        grep -q "^prior  *mixture 5\$"' "$vae"
    check prior_never_lowers_the_likelihood "$python" -c 'import re
course = [float(v) for v in re.findall(r"^iteration .*log-likelihood (.*)$", open("five.txt").read(), re.M)]
assert len(course) > 1 and all(b >= a - 1e-4 for a, b in zip(course, course[1:])), course'
    "$vae" encode ae.safetensors --data digits --images 400 --split train --out plain.npy --quiet
    "$vae" encode five.safetensors --data digits --images 400 --split train --out with.npy --quiet
    check prior_leaves_the_codes_alone same plain.npy with.npy
    # the codes under the mixture that gmm fits to them are those under the prior
    "$vae" gmm --data plain.npy --components 5 --out table.npy >table.txt
    check prior_is_what_gmm_fits test "$(grep '^codes .*log' five.txt | sed 's/.*hood //')" = \
        "$(grep '^train' table.txt | sed 's/.*hood //; s/,.*//')"
    "$vae" sample ae.safetensors --out normal.png --quiet
    "$vae" sample five.safetensors --out mixture.png --quiet
    check sample_uses_the_prior_of_the_model sh -c '! cmp -s normal.png mixture.png'
    "$vae" prior ae.safetensors --gmm 5 --data digits --images 400 --quiet
    check prior_may_replace_the_model same ae.safetensors five.safetensors
    "$vae" prior five.safetensors --gmm 2 --data digits --images 400 --out two.safetensors --quiet
    check prior_may_be_fitted_again sh -c '"$0" info two.safetensors |
        grep -q "^prior  *mixture 2\$"' "$vae"
    "$vae" train --data digits --images 400 --test-images 0 --epochs 1 --latent 3 --ema 0.9 \
        --encoder "dense 20 relu" --decoder "dense 20 relu" --labels auto --model c.safetensors --quiet
    "$vae" prior c.safetensors --gmm 3 --data digits --images 400 --out c3.safetensors >c3.txt
    check prior_fits_draws_of_a_vae grep -q "a draw of each image's posterior" c3.txt
    check prior_samples_of_a_class "$vae" sample c3.safetensors --class 3 --out c3.png --quiet
    "$vae" reconstruct c.safetensors --data digits --out c.png --quiet
    "$vae" reconstruct c3.safetensors --data digits --out c3.png --quiet
    check prior_keeps_averaged_weights same c.png c3.png
    # full covariances: the codes have the likelihood under the prior that they have under gmm's
    "$vae" prior ae.safetensors --gmm 3 --full --data digits --images 400 --out full.safetensors >full.txt
    check prior_of_full_covariances_is_stored sh -c '"$0" info full.safetensors |
        grep -q "^prior  *mixture 3 full\$"' "$vae"
    "$vae" gmm --data plain.npy --components 3 --full --out fulltable.npy >fulltable.txt
    check prior_is_what_gmm_fits_with_full test "$(grep '^codes .*log' full.txt | sed 's/.*hood //')" = \
        "$(grep '^train' fulltable.txt | sed 's/.*hood //; s/,.*//')"
    check prior_holds_the_covariances_of_gmm "$python" -c 'import json, struct, numpy as np
f = open("full.safetensors", "rb").read(); n = struct.unpack("<Q", f[:8])[0]; head = json.loads(f[8:8 + n])
t = {k: np.frombuffer(f, "<f4", int(np.prod(v["shape"])), 8 + n + v["data_offsets"][0]).reshape(v["shape"])
     for k, v in head.items() if k.startswith("prior.")}
g = np.load("fulltable.npy")
assert (t["prior.logit"] == g[:, 0]).all() and (t["prior.mean"] == g[:, 1:5]).all()
assert (t["prior.logvar"] == g[:, 5:9]).all()
for k in range(3):
    a = g[k, 9:].reshape(4, 4)
    assert (t["prior.lower"][k] == np.concatenate([a[j + 1:, j] for j in range(4)])).all()'
    "$vae" sample full.safetensors --out fullsamples.png --quiet
    check sample_uses_full_covariances sh -c '! cmp -s fullsamples.png mixture.png'
    # pseudo-inputs come from --from like other tensors, and stay
    "$vae" train --data digits --images 100 --test-images 0 --epochs 1 --prior "vamp 5" --latent 3 \
        --encoder "dense 20 relu" --decoder "dense 20 relu" --model vamp.safetensors --quiet
    "$vae" train --data digits --images 100 --test-images 0 --epochs 1 --prior "vamp 5" --latent 3 \
        --encoder "dense 20 relu" --decoder "dense 20 relu" --from vamp.safetensors --lr 1e-30 \
        --model vamp2.safetensors --quiet
    check from_takes_pseudo_inputs "$python" -c 'import json, struct, numpy as np
def inputs(path):
    f = open(path, "rb").read(); n = struct.unpack("<Q", f[:8])[0]
    at = json.loads(f[8:8 + n])["prior.input"]["data_offsets"][0]
    return np.frombuffer(f, "<f4", 5 * 784, 8 + n + at)
a, b = inputs("vamp.safetensors"), inputs("vamp2.safetensors")
assert abs(a - b).max() < 1e-6 < abs(a).max()'
    refused prior_needs_a_number 2 "needs --gmm K" prior ae.safetensors --data digits
    refused prior_needs_as_many_images 1 "at least as many rows" prior ae.safetensors --gmm 50 \
        --data digits --images 20
    refused prior_needs_the_images_of_the_model 1 "holds images of 2 numbers" prior ae.safetensors \
        --gmm 5 --data clusters.npy
    check refusing_leaves_the_model_alone same ae.safetensors five.safetensors
    # what needs the KL in closed form is of training, which is over
    for setting in "--free-bits 0.1" "--objective dreg --samples 2" "--no-noise 1"; do
        "$vae" train --data digits --images 50 --test-images 0 --epochs 1 $setting --latent 3 \
            --encoder "dense 9 relu" --decoder "dense 9 relu" --model any.safetensors --quiet
        "$vae" prior any.safetensors --gmm 2 --data digits --images 50 --out any2.safetensors >/dev/null
        check "prior_of_a_model_trained_with_$(echo "${setting#--}" | cut -d' ' -f1)" \
            "$vae" sample any2.safetensors --count 1 --out any.png --quiet
    done
}
printf '\0\0\10\1\0\0\0\2\1\2' >labels.idx
echo 1 2 3 | table nan3.npy 1 3
# Codes that are no reals: categories, levels, none.
kind_tests() {
    small="--data digits --images 96 --test-images 32 --batch 32 --epochs 1 --quiet"
    "$vae" train $small --posterior "categorical 7" --latent 3 --model cat.st
    "$vae" traverse cat.st --count 2 --out cat.png >cat.out
    check traversals_go_through_all_categories grep -q '14 images, 7 side by side' cat.out
    "$vae" eval cat.st --data digits --images 32 --samples 3 >cat.out
    check eval_knows_the_kl_and_bound_of_categories grep -q '^-bound (3)' cat.out
    check eval_has_no_variance_of_categories sh -c '! grep -q "^active" cat.out'
    "$vae" train $small --posterior "fsq 4 3" --visible-bias mean --model fsq.st
    "$vae" eval fsq.st --data digits --images 32 --json fsq.json >fsq.out
    check eval_counts_codes_of_levels grep -q '^codes  .* of 12 occur (.*), perplexity' fsq.out
    check json_has_no_log_variance_of_levels grep -q '"logvar_at_limit": null,$' fsq.json
    check json_counts_codes_of_levels grep -q '"codes": 12,$' fsq.json
    "$vae" train $small --latent 0 --model none.st
    "$vae" info none.st >none.out
    check latent_0_is_posterior_none grep -q 'none' none.out
    "$vae" eval none.st --data digits --images 32 --json none.json >none.out
    check eval_of_no_latents_has_no_reconstruction grep -q '"mse": null' none.json
    check sample_needs_no_latents "$vae" sample none.st --count 4 --out none.png --quiet
    for command in "encode none.st --data digits" "reconstruct none.st --data digits" \
        "interpolate none.st --data digits" "manifold none.st" "decode none.st --in none.npy" \
        "prior none.st --gmm 2 --data digits"; do
        refused "$(echo "$command" | cut -d' ' -f1)_needs_latents" 1 "none.st has no latents" $command
    done
    refused traverse_needs_latents 1 "has no latents" traverse none.st
    refused no_mixture_of_categories_before_the_work 1 "it takes prior normal" \
        prior cat.st --gmm 2 --data digits
    refused planes_count_latents_not_numbers 1 "cat.st has 3 latents" manifold cat.st
    "$vae" train $small --posterior "categorical 2" --latent 2 --model two.st
    refused planes_are_of_numbers 1 "latents that are categories" manifold two.st
    "$vae" manifold fsq.st --count 2 --out plane.png --quiet
    python3 -c 'import struct
struct_of = lambda z: (b"\x93NUMPY\1\0" + struct.pack("<H", 118) + ("{%sdescr%s: %s<f4%s, %sfortran_order%s: False, %sshape%s: (4, 2), }" % (("\x27",) * 8)).ljust(117).encode() + b"\n" + struct.pack("<8f", *z))
open("plane.npy", "wb").write(struct_of([-.5, .5, .5, .5, -.5, -.5, .5, -.5]))'
    "$vae" decode fsq.st --in plane.npy --out cells.png --columns 2 --quiet
    check planes_of_levels_are_equally_likely cmp -s plane.png cells.png
    "$vae" help layers >layers.out
    tr -d '\n' <layers.out | sed 's/  --encoder/\n&/g; s/  --posterior/\n&/g' |
        grep -e '  --encoder "dense 200 tanh, z' -e '--posterior none' >layers.examples
    check layers_has_examples_of_codes_and_pixels [ "$(wc -l <layers.examples)" -eq 3 ]
    while read -r example; do
        eval "\"$vae\" train --data digits --images 16 --test-images 0 --epochs 1 --quiet $example"
        check "example_of_layers_trains" [ $? -eq 0 ]
    done <layers.examples
    refused latents_that_levels_contradict 2 "--latent 20: posterior fsq 4 3 has 2 latents" \
        train $small --posterior "fsq 4 3" --latent 20
    refused latents_without_a_code 2 "has 0 latents" train $small --posterior none --latent 7
    "$vae" probe cat.st --data digits --images 64 --test-images 32 --draws 2 --label-counts 20 \
        >&- 2>closed.err
    check probe_to_a_closed_stdout [ $? -eq 1 ]
    "$vae" gmm --data digits --images 20 --test-images 0 --components 1 >&- 2>closed.err
    check gmm_to_a_closed_stdout [ $? -eq 1 ]
    refused latents_that_contradict 2 "contradicts it" train $small --latent 0 --posterior normal
}

# Decoders with a layer `image` draw pixels; --mode takes the most probable ones.
pixel_tests() {
    small="--data digits --images 64 --test-images 0 --batch 32 --epochs 1 --encoder= --quiet"
    "$vae" train $small --latent 3 --decoder "dense 9 tanh, image, maskconv 4 3x3 a tanh" --model pixel.st
    "$vae" train $small --latent 3 --decoder "dense 9 tanh" --model plain.st
    "$vae" train $small --posterior none --decoder "image, maskconv 4 3x3 a tanh" --model nocode.st
    "$vae" encode pixel.st --data digits --images 4 --out codes.npy --quiet
    # masks depend on the likelihood too: a model of whole pixels lends colours what they may see
    small3="--data shapes --images 16 --test-images 0 --epochs 1 --quiet --posterior none --decoder"
    layers="image, maskconv 6 1x1 a, maskconv 6 1x1 b"
    "$vae" train $small3 "$layers" --likelihood "logistic_mixture 2" --model whole.st
    "$vae" train $small3 "$layers" --from whole.st --model colours.st
    check from_leaves_masked_weights_zero "$vae" sample colours.st --count 1 --out colours.png --quiet
    draw() { # OUT COMMAND ARGUMENTS...
        out=$1 command=$2
        shift 2
        case $command in
        sample) set -- --count 4 "$@" ;;
        reconstruct) set -- --data digits --images 4 --count 4 "$@" ;;
        traverse) set -- --count 2 --steps 2 "$@" ;;
        decode) set -- --in codes.npy "$@" ;;
        esac
        "$vae" "$command" pixel.st "$@" --out "$out.png" --quiet
    }
    for command in sample reconstruct traverse decode; do
        draw one $command --seed 1
        draw again $command
        draw two $command --seed 2
        check ${command}_draws_the_pixels_of_a_seed same one.png again.png
        check ${command}_of_another_seed_differs sh -c '[ -s two.png ] && ! cmp -s one.png two.png'
        draw mode $command --mode --seed 1
        check ${command}_mode_draws_no_pixels sh -c '[ -s mode.png ] && ! cmp -s one.png mode.png'
        draw mode2 $command --mode --seed 2
        # the latents of new images are drawn nevertheless
        case $command in
        sample) check sample_mode_draws_latents sh -c '! cmp -s mode.png mode2.png' ;;
        traverse) ;;
        *) check ${command}_mode_needs_no_seed same mode.png mode2.png ;;
        esac
        rm -f one.png again.png two.png mode.png mode2.png
    done
    refused mode_is_for_decoders_with_image 1 "has no layer \`image\`" sample plain.st --mode
    refused mode_needs_latents 1 "has no latents" sample nocode.st --mode
    "$vae" sample nocode.st --count 4 --out one.png --quiet
    "$vae" sample nocode.st --count 4 --seed 2 --out two.png --quiet
    check sample_without_latents_draws_pixels sh -c '[ -s two.png ] && ! cmp -s one.png two.png'
}

gmm_tests
prior_tests
kind_tests
pixel_tests

end "tool codes"
