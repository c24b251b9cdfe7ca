#!/bin/sh
# Tests of what the vae command does with codes: probe, pca, train --from, score --samples.
#     sh tests/test_tool_probe.sh build/vae
# Works in a temporary folder. Its inputs are made by python3. With DATA=folder also on MNIST.
[ -z "${DATA-}" ] || DATA=$(cd "$DATA" && pwd) || exit 2
. "$(dirname "$0")/tool.sh"

python=/usr/bin/python3
command -v "$python" >/dev/null 2>&1 || python=python3
command -v "$python" >/dev/null 2>&1 || { skip "all of the tool's codes" "no python3"; end probe; }

# ---- inputs: five points, codes of known use, and sets that no probe can take ----

"$vae" digits set --images 600 --test-images 200 --quiet
cat >lib.py <<'PYTHON'
import array, json, random, struct, sys

def save(name, rows):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
    text = text.ljust(117) + "\n"
    with open(name, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode())
        for row in rows:
            file.write(struct.pack("<%df" % len(row), *row))

def load(name):
    with open(name, "rb") as file:
        data = file.read()
    size, = struct.unpack("<H", data[8:10])
    head = eval(data[10:10 + size].decode())
    rows, columns = head["shape"]
    return [struct.unpack_from("<%df" % columns, data, 10 + size + 4 * columns * i) for i in range(rows)]

def labels(part):
    with open("set/%s-labels-idx1-ubyte" % part, "rb") as file:
        return list(file.read()[8:])

def tensors(name):
    with open(name, "rb") as file:
        data = file.read()
    size, = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + size])
    head.pop("__metadata__")
    return {key: struct.unpack("<%df" % ((t["data_offsets"][1] - t["data_offsets"][0]) // 4),
                               data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]])
            for key, t in head.items()}

def near(a, b, by):
    return len(a) == len(b) and all(abs(x - y) <= by for x, y in zip(a, b))

def probes(name):
    with open(name) as file:
        return {(p["labels"], p["probe"], p["codes"]): (p["accuracy"], p["se"])
                for p in json.load(file)["probes"]}
PYTHON
py() { PYTHONDONTWRITEBYTECODE=1 "$python" -c "from lib import *
$1"; }
py '
save("five.npy", [(-.5, -.4), (-.4, -.1), (.1, 0), (.3, .3), (.5, .2)])
save("nan.npy", [(-.5, -.4), (-.4, float("nan")), (.1, 0)])
save("equal.npy", [(.25, .5)] * 4)
save("three.npy", [(0, 0, 0), (1, 1, 1)])
random.seed(1)
for part in "train", "t10k":
    own = labels(part)
    good = [[float(c == label) + random.gauss(0, .05) for c in range(10)] for label in own]
    save(part + "_good.npy", good)
    save(part + "_scaled.npy", [[1024 * x for x in row] for row in good])
    save(part + "_moved.npy", [[x + 3 for x in row] for row in good])
    save(part + "_noise.npy", [[random.gauss(0, 1) for c in range(4)] for label in own])
    save(part + "_same.npy", [[1, 2] for label in own])
    save(part + "_mixed.npy", [[random.gauss(0, 1000)] + row for row in good])
save("short.npy", good[:50])
save("wide.npy", [row + [0] for row in good])
bad = [list(row) for row in good]
bad[7][3] = float("inf")
save("inf.npy", bad)
with open("set/train-labels-idx1-ubyte", "rb") as file:
    head, own = file.read(8), labels("train")
with open("one.idx", "wb") as file:
    file.write(head + bytes(600 * [3]))
with open("few.idx", "wb") as file: # five of class 9
    nines = [i for i, label in enumerate(own) if label == 9][5:]
    file.write(head + bytes(0 if i in nines else label for i, label in enumerate(own)))
'

# ---- pca ----

"$vae" pca --data five.npy -k 1 --out five.safetensors --json five.json --quiet
"$vae" encode five.safetensors --data five.npy --out codes.npy --quiet
"$vae" decode five.safetensors --in codes.npy --out back.npy --quiet
check five_points_have_the_known_direction py '
t = tensors("five.safetensors")
sys.exit(not (near(t["encoder.head.weight"][::2], (.857803, .513978), 1e-6)
              and t["decoder.head.weight"] == t["encoder.head.weight"][::2]
              and near(t["decoder.head.bias"], (0, 0), 1e-7)))'
check five_points_have_the_known_codes py '
codes = [row[0] for row in load("codes.npy")]
sys.exit(not near(codes, (-.634493, -.394519, .085780, .411534, .531697), 1e-6))'
check five_points_have_the_known_reconstructions py '
back = [x for row in load("back.npy") for x in row]
sys.exit(not near(back, (-.54427, -.32612, -.33842, -.20277, .07358, .04409, .35302, .21152,
                         .45609, .27328), 6e-6))'
check five_points_have_the_known_residual py '
sys.exit(abs(10 * json.load(open("five.json"))["mse"] - .042353) > 5e-7)'
"$vae" pca --data five.npy -k 2 --out two.safetensors --json two.json --quiet
check all_directions_explain_all py '
f = json.load(open("two.json"))
sys.exit(not (f["mse"] < 1e-14 and abs(f["explained"] - 1) < 1e-12))'
for k in 1 8 40; do
    "$vae" pca --data set -k $k --out p$k.safetensors --json p$k.json --quiet
done
check what_is_not_explained_is_the_error py '
f = [json.load(open("p%d.json" % k)) for k in (1, 8, 40)]
total = [784 * x["mse"] / (1 - x["explained"]) for x in f]
v = f[2]["variances"]
sys.exit(not (near(total, 3 * total[:1], 1e-6 * total[0]) and v == sorted(v, reverse=True)
              and near(f[1]["variances"], v[:8], 0)
              and abs(sum(v[:8]) / total[0] - f[1]["explained"]) < 1e-6))'
check directions_are_orthonormal py '
w = tensors("p40.safetensors")["decoder.head.weight"]
rows = [w[784 * i:784 * i + 784] for i in range(40)]
sys.exit(any(abs(sum(x * y for x, y in zip(rows[i], rows[j])) - (i == j)) > 1e-6
             for i in range(40) for j in range(i + 1)))'
"$vae" eval p8.safetensors --data set --json e8.json --quiet
check eval_gives_the_error_of_the_test_images py '
sys.exit(abs(json.load(open("e8.json"))["mse"] - json.load(open("p8.json"))["test_mse"]) > 1e-9)'
for command in "sample p8.safetensors" "reconstruct p8.safetensors --data set" \
    "traverse p8.safetensors --data set" "interpolate p8.safetensors --data set" \
    "score p8.safetensors --data set" "info p8.safetensors"; do
    check "pca_model: $command" sh -c "'$vae' $command >/dev/null 2>&1"
done
"$vae" pca --data set -k 8 --out again.safetensors --quiet --threads 2
check pca_has_the_same_bytes_again cmp -s p8.safetensors again.safetensors
refused pca_needs_k 2 "needs -k" pca --data five.npy
refused pca_needs_data 2 "needs --data" pca -k 1
refused pca_k_of_nothing 2 "'0' is not a whole number from 1" pca --data five.npy -k 0
refused pca_k_above_the_numbers 2 "-k 3: images of 2 numbers have 2 directions" pca --data five.npy -k 3
refused pca_k_above_the_images 2 "-k 600: 600 images lie in 599 directions at most" \
    pca --data set -k 600
refused pca_nan 1 "image 1: number 1 is NaN" pca --data nan.npy -k 1
refused pca_equal_images 1 "all images are equal" pca --data equal.npy -k 1
refused pca_test_of_another_shape 1 "three.npy holds images of 3 numbers, but five.npy of 2" \
    pca --data five.npy --test three.npy -k 1
refused pca_of_a_model 1 "" pca --data p8.safetensors -k 1
refused pca_onto_its_data 2 "are the same file" pca --data five.npy -k 1 --out five.npy
check refused_pca_leaves_no_file [ ! -e pca.safetensors ]

# ---- probe ----

small="--data digits --images 600 --test-images 100 --batch 32 --latent 4 --quiet"
net="dense 32 relu"
"$vae" train $small --encoder "$net" --decoder "$net" --epochs 2 --model m.safetensors
"$vae" train $small --encoder "$net" --decoder "$net" --epochs 1 --objective ae --model ae.safetensors
"$vae" train $small --encoder "$net" --decoder "$net" --epochs 1 --labels auto --model c.safetensors
for kind in good scaled moved noise mixed; do
    "$vae" probe train_$kind.npy --test-codes t10k_$kind.npy --data set --json $kind.json --quiet \
        --label-counts 50,200,all --draws 4
done
check separate_codes_give_every_class py '
p = probes("good.json")
sys.exit(not (len(p) == 12 and all(p[key][0] == 1 for key in p if key[0] > 50)
              and min(x for x, _ in p.values()) > .97))'
check only_draws_of_some_labels_have_an_error py '
p = probes("noise.json")
sys.exit(not all((se is None) == (key[0] == 600) for key, (_, se) in p.items()))'
check codes_of_nothing_give_chance py '
sys.exit(not all(.03 < x < .2 for x, _ in probes("noise.json").values()))'
check a_common_scale_changes_nothing py 'sys.exit(probes("good.json") != probes("scaled.json"))'
check a_shift_changes_next_to_nothing py '
a, b = probes("good.json"), probes("moved.json")
sys.exit(not all(abs(a[key][0] - b[key][0]) < .01 for key in a))'
check a_loud_latent_hurts_raw_codes_alone py '
p = probes("mixed.json")
sys.exit(not all(p[600, c, "standardised"][0] > .95 > p[50, c, "raw"][0] + .1
                 for c in ("softmax", "ridge")))'
for model in m ae p8; do
    "$vae" probe $model.safetensors --data set --json $model.json --label-counts 100 >$model.out
    check "probe_of_$model" py "
f = json.load(open('$model.json'))
sys.exit(not (f['codes'] == (8 if '$model' == 'p8' else 4) and f['classes'] == 10 and f['draws'] == 10
              and all(.12 < x < 1 and 0 < se < .1 for x, se in probes('$model.json').values())))"
done
check probe_prints_a_row holds m.out '^ *100  '
"$vae" encode p8.safetensors --data set --split train --out train.npy --quiet
"$vae" encode p8.safetensors --data set --split test --out test.npy --quiet
"$vae" probe train.npy --test-codes test.npy --data set --json npy.json --label-counts 100 --quiet
"$vae" probe p8.safetensors --data set --json p8b.json --label-counts 100 --quiet --threads 2
"$vae" probe p8.safetensors --data set --json seed.json --label-counts 100 --quiet --seed 2
check codes_of_a_file_are_those_of_the_model py 'sys.exit(probes("npy.json") != probes("p8.json"))'
check threads_change_nothing py 'sys.exit(probes("p8b.json") != probes("p8.json"))'
check another_seed_draws_other_labels py 'sys.exit(probes("seed.json") == probes("p8.json"))'

refused probe_without_labels 1 "comes without labels" probe two.safetensors --data five.npy --test five.npy
refused probe_without_test_images 2 "needs test images" \
    probe m.safetensors --data set --test-images 0
refused probe_of_more_labels_than_images 1 "1000 labels are asked for, but there are only 600" \
    probe m.safetensors --data set
refused probe_of_more_labels_of_a_class 1 "300 labels would be 30 images of class 9, but there are only 5" \
    probe m.safetensors --data set --labels few.idx --label-counts 300
refused probe_of_fewer_labels_than_classes 1 "9 labels are too few for 10 classes" \
    probe m.safetensors --data set --label-counts 9
refused probe_of_one_class 1 "a probe needs two classes" \
    probe m.safetensors --data set --labels one.idx --test-labels set/t10k-labels-idx1-ubyte \
    --label-counts 100
refused probe_of_a_count_that_is_none 2 "'many' is neither" \
    probe m.safetensors --data set --label-counts 100,many
refused probe_of_one_draw 2 "'1' is not a whole number from 2" \
    probe m.safetensors --data set --draws 1
refused probe_of_equal_codes 1 "all images have the same code" \
    probe train_same.npy --test-codes t10k_same.npy --data set --label-counts 100
refused probe_of_infinite_codes 1 "row 7 that is not finite" \
    probe train_good.npy --test-codes inf.npy --data set --label-counts 100
refused probe_of_codes_that_are_too_few 1 "short.npy holds codes of 50 images" \
    probe short.npy --test-codes t10k_good.npy --data set --label-counts 100
refused probe_of_codes_of_two_widths 1 "wide.npy holds codes of 11 numbers" \
    probe train_good.npy --test-codes wide.npy --data set --label-counts 100
refused probe_of_codes_without_test_codes 2 "--test-codes FILE.npy" probe train_good.npy --data set
refused probe_of_a_model_with_test_codes 2 "makes the test images' codes itself" \
    probe m.safetensors --test-codes t10k_good.npy --data set
refused probe_of_images 1 "" probe set/train-images-idx3-ubyte --data set
refused probe_of_nothing 1 "not-there" probe not-there --data set
refused probe_of_a_model_that_is_told_the_class 1 "is told the class of each image" \
    probe c.safetensors --data set
refused probe_of_a_model_of_other_images 1 "but five.safetensors takes 2" \
    probe five.safetensors --data set --label-counts 100

# ---- train --from ----

loud="--data digits --images 600 --test-images 100 --batch 32 --epochs 1 --lr 1e-30"
"$vae" train $loud --latent 4 --seed 5 --encoder "$net" --decoder "$net" --from m.safetensors \
    --model all.safetensors --quiet
check from_takes_all_of_an_equal_net py '
a, b = tensors("m.safetensors"), tensors("all.safetensors")
sys.exit(a.keys() != b.keys() or any(not near(values, b[name], 1e-12) for name, values in a.items()
                                     if not name.startswith("optim.")))'
"$vae" train $loud --latent 9 --encoder "$net" --decoder "$net" --from m.safetensors \
    --model wide.safetensors >wide.out
check from_says_what_it_took holds wide.out '^taken        5 of 8 tensors from m.safetensors$'
check from_says_what_it_did_not_take holds wide.out \
    '^not taken    encoder.head.weight: 32 x 8 in m.safetensors, 32 x 18 here$'
check from_takes_the_layers_that_match py '
a, b = tensors("m.safetensors"), tensors("wide.safetensors")
same = [name for name in b if name in a and not name.startswith("optim.") and near(a[name], b[name], 1e-12)]
sys.exit(sorted(same) != ["decoder.0.bias", "decoder.head.bias", "decoder.head.weight", "encoder.0.bias", "encoder.0.weight"])'
"$vae" train $loud --latent 4 --encoder "$net, dense 5" --decoder "$net" --from m.safetensors >deep.out
check from_says_what_is_not_there holds deep.out \
    '^not taken    encoder.1.weight: not in m.safetensors$'
"$vae" train $loud --latent 4 --encoder "$net" --decoder "$net" --from m.safetensors \
    --visible-bias mean --ema 0.5 --json ema.json --model ema.safetensors >/dev/null
check from_takes_the_place_of_the_visible_bias_and_begins_the_average py '
a, b = tensors("m.safetensors"), tensors("ema.safetensors")
sys.exit(any(not near(values, b[p + name], 1e-12) for p in ("", "ema.")
             for name, values in a.items() if not name.startswith("optim.")))'
refused from_another_net_takes_nothing 1 "no tensor there has the name and shape of one here" \
    train $loud --encoder "dense 7 relu" --decoder "conv 3 3x3" --from five.safetensors
refused from_and_resume_exclude_one_another 2 "--from begins a new run, --resume goes on" \
    train $small --from m.safetensors --resume --model new.safetensors
refused from_what_is_not_there 1 "not-there" train $small --from not-there
refused from_what_is_no_model 1 "five.npy" train $small --from five.npy
refused from_the_model_itself 2 "are the same file" \
    train $small --from m.safetensors --model m.safetensors

# ---- score --samples ----

"$vae" score m.safetensors --data set --samples 5 --out scores.csv --quiet
"$vae" score m.safetensors --data set --out plain.csv --quiet
"$vae" score m.safetensors --data set --samples 5 --out scores.npy --quiet
"$vae" score m.safetensors --data set --samples 5 --out scores.txt --quiet
"$vae" eval m.safetensors --data set --samples 5 --json eval.json --quiet
check the_mean_of_the_scores_is_the_bound py '
rows = [line.split(",") for line in open("scores.csv")][1:]
plain = [line.strip() for line in open("plain.csv")][1:]
text = [line.strip() for line in open("scores.txt")]
bound = json.load(open("eval.json"))["bounds"][0]["bound"]
sys.exit(not (abs(sum(float(r[4]) for r in rows) / 200 + bound) < 1e-4
              and [",".join(r[:4]) for r in rows] == plain and [r[4].strip() for r in rows] == text
              and near([float(r[4]) for r in rows], [r[3] for r in load("scores.npy")], 1e-4)))'
refused scores_of_an_autoencoder_have_no_bound 1 "has no noise" \
    score ae.safetensors --data set --samples 5

# ---- codes of more than one layer, and of flows ----

"$vae" train $small --encoder "$net, z 6, dense 16 relu" --decoder "dense 16 relu, z 6, $net" \
    --epochs 2 --model two_layers.safetensors
"$vae" train $small --encoder "$net" --decoder "$net" --posterior "normal, iaf 20 2" --epochs 2 \
    --model flow.safetensors
for model in two_layers flow; do
    "$vae" eval $model.safetensors --data set --samples 5 --json $model.json --quiet
    "$vae" score $model.safetensors --data set --samples 5 --out $model.csv --quiet
    "$vae" encode $model.safetensors --data set --split test --out $model.npy --quiet
    "$vae" decode $model.safetensors --in $model.npy --out back.npy --quiet
    "$vae" probe $model.safetensors --data set --label-counts 100 --quiet
    check "commands_take_$model" [ $? -eq 0 ]
    check "scores_of_$model" py "
rows = [line.split(',') for line in open('$model.csv')][1:]
bound = json.load(open('$model.json'))['bounds'][0]['bound']
sys.exit(not (abs(sum(float(r[4]) for r in rows) / 200 + bound) < 1e-3 * abs(bound)
              and len(load('$model.npy')[0]) == 4 and len(load('back.npy')) == 200))"
done
"$vae" info two_layers.safetensors >info.out
check info_lists_stochastic_layers holds info.out '^stochastic   code of 4 latents; z 6$'
"$vae" info flow.safetensors >info.out
check info_of_one_layer_does_not eval '! holds info.out "^stochastic"'
"$vae" eval flow.safetensors --data set >eval.out
check network_shows_the_posterior holds eval.out '^network .*, bernoulli, posterior normal, iaf 20 2$'
"$vae" eval m.safetensors --data set >eval.out
check network_of_the_usual_posterior_does_not holds eval.out '^network .*, bernoulli$'
"$vae" train --data digits --images 64 --test-images 0 --batch 32 --latent 4 --epochs 1 \
    --encoder "$net" --decoder "$net" --prior "mixture 3" --model mixed.safetensors >train.out
check network_shows_the_prior holds train.out '^network .*, bernoulli, prior mixture 3$'
"$vae" train $small --encoder "$net" --decoder "$net" --posterior "categorical 3" --epochs 2 \
    --model categories.safetensors
"$vae" train --data digits --images 600 --test-images 100 --batch 32 --quiet --decoder "$net" \
    --posterior none --epochs 2 --model none.safetensors
for model in categories none; do
    "$vae" eval $model.safetensors --data set --json $model.json --quiet
    check "eval_of_$model" py "
f = json.load(open('$model.json'))
sys.exit(not (f['active_units'] is None and (f['mse'] is None) == ('$model' == 'none')))"
done
"$vae" encode categories.safetensors --data set --split test --out categories.npy --quiet
check codes_of_categories_are_as_wide_as_all_of_them py '
sys.exit(any(len(row) != 12 or abs(sum(row) - 4) > 1e-5 for row in load("categories.npy")))'
"$vae" probe categories.safetensors --data set --label-counts 100 --json categories_probe.json --quiet
check probe_of_categories [ $? -eq 0 ]
refused probe_without_codes 1 "has no code" probe none.safetensors --data set --label-counts 100
check eval_counts_the_latents_of_each_layer py '
f = json.load(open("two_layers.json"))
active = f["active_units_of_layers"]
sys.exit(not (len(f["mu_variance"]) == len(f["kl_per_latent"]) == 10 and active[0] == f["active_units"]
              and active == [sum(v > .01 for v in f["mu_variance"][:4]),
                             sum(v > .01 for v in f["mu_variance"][4:])]))'

# ---- the solvers, against libm and against their own equations ----

cat >solvers.c <<'C'
#define VAE_IMPLEMENTATION
#include "tools/platform.h"
#include "tools/screen.h"
#include "tools/text.h"
#include "tools/solvers.h"
#include <math.h>
static double at(size_t i, size_t j) { return sin((double)(3 * i * i + 7 * j + i * j)); }
static double bowl(const double *w, double *g, void *user)
{
    double sum = 0;
    (void)user;
    for (int i = 0; i < 4; i++) { /* sum e^(w i) - (i + 1) w i: minimal where w is log (i + 1) */
        sum += exp(w[i]) - (i + 1) * w[i];
        g[i] = exp(w[i]) - (i + 1);
    }
    return sum;
}
int main(void)
{
    enum { N = 60 };
    static double a[N * N], b[N * N], q[N * N], d[N], x[N * 2], y[N * 2], w[4];
    double worst[4] = {0};
    for (double v = -690; v <= 0; v += 0.37)
        worst[0] = fmax(worst[0], fabs(exponential(v) / exp(v) - 1));
    for (double v = 1; v < 1e9; v *= 1.01)
        worst[0] = fmax(worst[0], fabs(logarithm(v) - log(v)) / fmax(1, log(v)));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) { /* two clusters of eigenvalues, and rows of zeros */
            const double part = i % 9 == 4 || j % 9 == 4 ? 0 : at(i < j ? i : j, i < j ? j : i);
            a[i * N + j] = b[i * N + j] = 1e-3 * part + (i == j && i % 9 != 4 ? 1 + i % 2 : 0);
        }
    find_eigenvectors(a, N, d, q);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            worst[1] = fmax(worst[1], fabs(dot(b + j * N, q + i * N, N) - d[i] * q[i * N + j]));
            worst[1] = fmax(worst[1], fabs(dot(q + i * N, q + j * N, N) - (i == j)));
        }
    for (size_t i = 0; i < N; i++) b[i * N + i] += 3;
    memcpy(a, b, sizeof a);
    for (size_t i = 0; i < 2 * N; i++) x[i] = y[i] = at(i, 1);
    if (!solve_symmetric(a, N, x, 2)) return 1;
    for (size_t i = 0; i < N; i++)
        for (size_t c = 0; c < 2; c++) {
            double sum = -y[2 * i + c];
            for (size_t j = 0; j < N; j++) sum += b[i * N + j] * x[2 * j + c];
            worst[2] = fmax(worst[2], fabs(sum));
        }
    b[0] = -1;
    if (solve_symmetric(b, N, x, 2)) return 1; /* not positive definite */
    minimise(bowl, NULL, w, 4, 1e-9);
    for (int i = 0; i < 4; i++) worst[3] = fmax(worst[3], fabs(w[i] - log(i + 1)));
    printf("%g %g %g %g\n", worst[0], worst[1], worst[2], worst[3]);
    return !(worst[0] < 1e-15 && worst[1] < 1e-13 && worst[2] < 1e-13 && worst[3] < 1e-9);
}
C
for flags in -O0 -Ofast; do
    if "${CC:-cc}" $flags -DVAE_ONLY_PORTABLE -I "$root" -Wno-unused-function solvers.c -o solvers -lm \
        2>/dev/null; then
        check "solvers $flags: $(./solvers)" ./solvers
    else
        skip "solvers $flags" "the compiler does not take these flags"
    fi
done

# Linked with -ffast-math, gcc's programs begin with subnormal numbers flushed to 0: the commands that
# compute on their own then give the same. Of codes about 1e-39 nothing would be left.
if "${CC:-cc}" -O0 -ffast-math -DVAE_ONLY_PORTABLE -I "$root" "$root/tools/vae.c" -o fast 2>/dev/null; then
    py '
for part in "train", "t10k":
    save(part + "_tiny.npy", [[x * 2 ** -130 for x in row] for row in load(part + "_good.npy")])'
    for name in plain fast; do
        [ $name = fast ] && tool=./fast || tool=$vae
        "$tool" probe train_tiny.npy --test-codes t10k_tiny.npy --data set --label-counts 50 --draws 2 \
            --json "${name}_tiny.json" --quiet 2>fast.err
        "$tool" gmm --data train_tiny.npy --components 2 --iterations 2 --out "${name}_gmm.npy" --quiet
        "$tool" pca --data set -k 8 --out "${name}_pca.safetensors" --quiet
    done
    check probe_knows_subnormal_codes py '
a, b = probes("plain_tiny.json"), probes("fast_tiny.json")
sys.exit(not (a == b and max(x for x, _ in a.values()) > .9))'
    check gmm_knows_subnormal_numbers cmp -s plain_gmm.npy fast_gmm.npy
    check pca_knows_subnormal_numbers cmp -s plain_pca.safetensors fast_pca.safetensors
else
    skip "subnormal numbers" "the compiler does not take -ffast-math"
fi

# ---- MNIST: facts of the principal components that can be computed once and for all ----

if [ -z "${DATA-}" ] || [ ! -e "$DATA/train-images-idx3-ubyte.gz" ]; then
    skip pca_of_mnist "no DATA=folder with MNIST"
else
    "$vae" pca --data "$DATA" -k 20 --out mnist.safetensors --json mnist.json --quiet
    check pca_of_mnist py '
f = json.load(open("mnist.json"))
sys.exit(not (abs(f["mse"] - .023970) < 6e-7 and abs(f["test_mse"] - .023538) < 6e-7
              and abs(f["explained"] - .6436) < 6e-5))'
    "$vae" probe mnist.safetensors --data "$DATA" --label-counts all --json mnist_probe.json --quiet
    check probe_of_the_components_of_mnist py '
sys.exit(abs(probes("mnist_probe.json")[60000, "softmax", "standardised"][0] - .877) > .002)'
fi
end probe
