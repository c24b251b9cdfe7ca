#!/bin/sh
# Tests of what goes into and comes out of the vae command as data:
#     sh tests/test_tool_data.sh build/vae
# Works in a temporary folder. Its inputs are made by python3; what needs a program that is not here
# is skipped by name. Ends with "tool data: N passed, N failed, N skipped".
. "$(dirname "$0")/tool.sh"

holds() { grep -q -F -e "$2" "$1"; }
# the two sides of a PNG
sides() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4, \
    $5 * 16777216 + $6 * 65536 + $7 * 256 + $8 }'; }

if ! command -v python3 >/dev/null 2>&1; then
    skip "all of the tool's data" "no python3, which makes them"
    end "tool data"
fi

cat >make.py <<'PYTHON'
import gzip, os, random, struct, sys, zlib

def floats(values, order="<"): return struct.pack(order + "%df" % len(values), *values)

def npy(name, shape, data, descr="<f4", fortran=False, head=None, version=1):
    if head is None:
        head = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (descr, fortran, shape)
    head = head.encode()
    size = struct.pack("<H" if version == 1 else "<I", len(head))
    with open(name, "wb") as f: f.write(b"\x93NUMPY" + bytes([version, 0]) + size + head + data)

def idx(dims, data, kind=8):
    return bytes([0, 0, kind, len(dims)]) + b"".join(struct.pack(">I", d) for d in dims) + data

def put(name, data):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as f: f.write(data)

def chunk(name, data): return struct.pack(">I", len(data)) + name + data + \
    struct.pack(">I", zlib.crc32(name + data))

def png(name, width, height, rows, idat=None, tail=b"", behind=b"", before=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows)) if idat is None else idat
    put(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + data + behind +
        chunk(b"IEND", b"") + tail)

dice = random.Random(5)
N, H, W = 20, 12, 9
x = [dice.random() for _ in range(N * H * W)]
rounded = list(struct.unpack("<%df" % len(x), floats(x)))
npy("ok.npy", (N, H, W), floats(x))

# values that cannot be
def spoiled(name, image, number, value):
    y = list(x)
    y[image * H * W + number] = value
    npy(name, (N, H, W), floats(y))
spoiled("nan.npy", 7, 21, float("nan"))
spoiled("inf.npy", 19, 107, float("-inf"))
spoiled("above.npy", 3, 5, 1.5)
spoiled("below.npy", 11, 0, -1e-45)
spoiled("fill.npy", 4, 17, 9.96921e36)
spoiled("large.npy", 6, 30, 1e18)
spoiled("noisy.npy", 9, 2, -0.25)
y = list(x)
y[7 * H * W + 21] = float("nan")
put("nan.idx", idx((N, H, W), struct.pack(">%df" % len(y), *y), 13))
put("nan64.idx", idx((N, H, W), struct.pack(">%dd" % len(y), *y), 14))

# other spellings of the same array
L = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"
npy("s_python2.npy", 0, floats(x), head=L % ("<f4", False, "(20L, 12L, 9L)"))
npy("s_python2_padded.npy", 0, floats(x),
    head=L % ("<f4", False, "(20L, 12L, 9L)") + " " * 30 + "\n")
npy("s_unicode.npy", 0, floats(x),
    head="{u'shape': (20, 12, 9), u'descr': u'<f4', u'fortran_order': False}")
npy("s_double_quotes.npy", 0, floats(x), version=2,
    head='{"fortran_order":False,"descr":"<f4","shape":(20,12,9,),}')
npy("s_blanks.npy", 0, floats(x), version=3,
    head="  {\n'descr'\t:\r\n'<f4' , 'fortran_order' : False ,\n 'shape' : ( 20 , 12 , 9 ) , }  \n\n")
npy("s_big_endian.npy", (N, H, W), floats(x, ">"), ">f4")
npy("s_name.npy", (N, H, W), floats(x), "float32" if sys.byteorder == "little" else "<f4")
npy("s_native.npy", (N, H, W), floats(x, "="), "=f4")
f = [x[(i * H + j) * W + k] for k in range(W) for j in range(H) for i in range(N)]
npy("s_fortran.npy", (N, H, W), floats(f), fortran=True)
npy("s_fortran_big.npy", (N, H, W), floats(f, ">"), ">f4", True)

# what is no array of images
npy("r_f8.npy", (4, 6), bytes(192), "<f8")
npy("r_bool.npy", (4, 6), bytes(24), "|b1")
npy("r_object.npy", (4, 6), bytes(24), "|O")
npy("r_complex.npy", (4, 3), bytes(96), "<c8")
npy("r_0d.npy", "()", bytes(4))
npy("r_1d.npy", "(6,)", bytes(24))
npy("r_list.npy", 0, bytes(96), head=L % ("<f4", False, "[4, 6]"))
npy("r_negative.npy", 0, bytes(96), head=L % ("<f4", False, "(4, -6)"))
npy("r_wraps.npy", 0, bytes(96), head=L % ("<f4", False, "(4294967296, 4294967296, 24)"))
npy("r_escape.npy", (4, 6), bytes(96), "\x1b[31m")

# axes
npy("first1.npy", (N, 1, H, W), floats(x))
npy("first3.npy", (N, 3, H, W), floats(x * 3))
npy("last3.npy", (N, H, W, 3), floats(x * 3))
put("first3.idx", idx((N, 3, H, W), bytes(N * 3 * H * W)))

# pictures: one image in many files
rows = b"".join(b"\0" + bytes(dice.randrange(256) for _ in range(W)) for _ in range(H))
z = zlib.compress(rows)
png("plain.png", W, H, rows)
png("p_row.png", W, H, rows + rows[:W + 1])
png("p_byte.png", W, H, rows + b"\7")
png("p_much.png", W, H, rows * 5000)
png("p_behind.png", W, H, 0, chunk(b"IDAT", z + b"behind the sum"))
png("p_idat.png", W, H, 0, chunk(b"IDAT", z) + chunk(b"IDAT", b"one more"))
png("p_stream.png", W, H, 0, chunk(b"IDAT", z) + chunk(b"IDAT", z))
png("p_apart.png", W, H, 0, chunk(b"IDAT", z) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", b"late"))
png("p_palette.png", W, H, rows, behind=chunk(b"PLTE", bytes(9)))
png("p_hint.png", W, H, rows, before=chunk(b"PLTE", bytes(9)))
png("p_clear.png", W, H, rows, behind=chunk(b"tRNS", bytes(2)))
png("p_unknown.png", W, H, rows, before=chunk(b"vpAg", b"123"), behind=chunk(b"prVt", b""))
png("p_tail.png", W, H, rows, tail=b"behind the end")
png("q_short.png", W, H, rows[:-1])
png("q_sum.png", W, H, 0, chunk(b"IDAT", z[:-1] + bytes([z[-1] ^ 1])))
png("q_cut.png", W, H, 0, chunk(b"IDAT", z[:-4]))
png("q_split.png", W, H, 0, chunk(b"IDAT", z[:9]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", z[9:]))
png("q_critical.png", W, H, rows, before=chunk(b"ABCD", b""))

# folders named like files
pixels = bytes(dice.randrange(256) for _ in range(N * H * W))
labels = bytes(i % 3 for i in range(N))
images = idx((N, H, W), pixels)
for part in ("train", "t10k"):
    put("set/%s-images-idx3-ubyte.gz" % part, gzip.compress(images))
    put("set/%s-labels.idx1-ubyte" % part, idx((N,), labels))
    put("set/%s-labels-idx1-ubyte.gz" % part, gzip.compress(idx((N,), labels)))
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        put("set/%s-%s/%s-%s" % (part, kind, part, kind), b"not a file of this name")
    put("plain/%s-images-idx3-ubyte" % part, images)
    put("plain/%s-labels-idx1-ubyte" % part, idx((N,), labels))
batch = b"".join(bytes([i % 10]) + bytes(dice.randrange(256) for _ in range(3072)) for i in range(4))
put("cifar/data_batch_1.bin/readme", b"")
put("cifar/data_batch_2.bin", batch)
put("cifar/test_batch.bin/readme", b"")
put("only/train-images-idx3-ubyte/readme", b"")
for i in range(3):
    png("photos%d.png" % i, W, H, rows)
    os.makedirs("photos", exist_ok=True)
    os.rename("photos%d.png" % i, "photos/%d.png" % i)
os.makedirs("photos/1.png.png", exist_ok=True)
os.makedirs("links", exist_ok=True)
png("links/a.png", W, H, rows)
os.symlink("nowhere.png", "links/b.png")

# codes
c = [dice.uniform(-2, 2) for _ in range(12)]
npy("codes.npy", (6, 2), floats(c))
npy("codes_big.npy", (6, 2), floats(c, ">"), ">f4")
npy("codes_fortran.npy", (6, 2), floats([c[2 * i + j] for j in range(2) for i in range(6)]), fortran=True)
npy("codes_late.npy", (16, 2), floats([0] * 26 + [3e38] * 2 + [0] * 4))
npy("codes_nan.npy", (6, 2), floats(c[:7] + [float("nan")] + c[8:]))
npy("codes_inf.npy", (6, 2), floats([float("inf")] + c[1:]))
npy("codes_huge.npy", (6, 2), floats(c[:8] + [3e38, 3e38] + c[10:]))
npy("many.npy", (20000, H, W), bytes(20000 * H * W), "|u1")
npy("codes_many.npy", (70000, 2), bytes(8 * 70000))

# tables of factors and labels
npy("factors.npy", (N, 2), floats([i % 5 for i in range(2 * N)]))
npy("factors_inf.npy", (N, 2), floats([i % 5 for i in range(2 * N - 3)] + [float("inf"), 0, 0]))
put("factors_inf.idx", idx((N, 2), struct.pack(">%dd" % (2 * N), *([0] * 37 + [float("nan"), 0, 1])), 14))
put("labels_high.idx", idx((N,), struct.pack(">%di" % N, *([0] * 13 + [70000] + [1] * 6)), 12))
put("labels_low.idx", idx((N,), struct.pack(">%di" % N, *([0] * 4 + [-1] + [1] * 15)), 12))
PYTHON
python3 make.py || { echo "FAIL inputs are made"; failed=1; end "tool data"; }

small="--encoder= --decoder= --latent 2 --epochs 1 --batch 8 --threads 1"
train="train --data ok.npy $small"
"$vae" $train --model m.safetensors --quiet || { echo "FAIL a model is trained"; failed=1; end "tool data"; }
# the large rate makes weights with which 3e38 overflows
"$vae" $train --likelihood gaussian --lr 100 --model g.safetensors --quiet
# weights of this size make losses, or even codes, of 1e18 that overflow
wild="train --data ok.npy --decoder= --latent 2 --epochs 1 --threads 1 --likelihood gaussian --optimizer sgd
    --clip 1 --quiet"
"$vae" $wild --encoder "dense 8, dense 8" --lr 1e3 --batch 8 --model wild.safetensors
"$vae" $wild --encoder "dense 8, dense 8, dense 8" --lr 1e8 --batch 20 --model wilder.safetensors
"$vae" train --data last3.npy $small --model rgb.safetensors --quiet

# ---- NPY: what numpy.load reads ----

"$vae" encode m.safetensors --data ok.npy --out ok.codes.npy --quiet
for file in s_*.npy; do
    rm -f other.npy
    "$vae" encode m.safetensors --data "$file" --out other.npy --quiet
    check "npy_spelled_otherwise_is_the_same_${file%.npy}" same ok.codes.npy other.npy
done
refused npy_of_doubles_says_what_to_save 1 "r_f8.npy: it holds '<f8', neither '|u1' nor '<f4'" \
    train --data r_f8.npy $small
for file in r_bool r_object r_complex; do
    refused "npy_of_another_type_$file" 1 "$file.npy: it holds '" train --data $file.npy $small
done
refused npy_of_one_number 1 "r_0d.npy: it has fewer than 2 dimensions" train --data r_0d.npy $small
refused npy_of_a_row 1 "r_1d.npy: it has fewer than 2 dimensions" train --data r_1d.npy $small
for file in r_list r_negative; do
    refused "npy_shape_$file" 1 "$file.npy: its shape cannot be read" train --data $file.npy $small
done
refused npy_shape_that_wraps 1 "r_wraps.npy: " train --data r_wraps.npy $small
refused npy_type_with_control_characters 1 "r_escape.npy: it holds records" train --data r_escape.npy $small
check npy_type_reaches_no_terminal lacks refused.err "$(printf '\033')"
for file in codes_big codes_fortran; do
    rm -f other.npy
    "$vae" decode m.safetensors --in codes.npy --out decoded.npy --quiet
    "$vae" decode m.safetensors --in $file.npy --out other.npy --quiet
    check "table_spelled_otherwise_is_the_same_$file" same decoded.npy other.npy
done

# ---- PNG: what libpng reads ----

"$vae" encode m.safetensors --data plain.png --out plain.codes.npy --quiet
check png_is_read [ -s plain.codes.npy ]
for file in p_*.png; do
    rm -f other.npy
    "$vae" encode m.safetensors --data "$file" --out other.npy --quiet
    check "png_with_more_than_it_needs_${file%.png}" same plain.codes.npy other.npy
done
refused png_without_its_last_byte 1 "q_short.png: its data: unpacks to" \
    encode m.safetensors --data q_short.png --out other.npy
refused png_with_a_wrong_sum 1 "q_sum.png: its data do not agree with zlib's sum" \
    encode m.safetensors --data q_sum.png --out other.npy
refused png_without_a_sum 1 "q_cut.png: it is truncated" \
    encode m.safetensors --data q_cut.png --out other.npy
refused png_in_two_parts 1 "its IDAT chunks are not together" \
    encode m.safetensors --data q_split.png --out other.npy
refused png_with_a_critical_chunk 1 "its chunk ABCD" \
    encode m.safetensors --data q_critical.png --out other.npy

# ---- a folder is not the file of its name ----

"$vae" train --data plain $small --labels auto --model plain.safetensors --quiet
"$vae" train --data set $small --labels auto --model set.safetensors --quiet
"$vae" info plain.safetensors | grep params_hash >plain.info
"$vae" info set.safetensors | grep params_hash >set.info
check folder_named_like_images_or_labels_is_stepped_over same plain.info set.info
"$vae" train --data cifar $small --quiet >cifar.out 2>&1
check folder_named_like_a_batch_is_stepped_over [ $? -eq 0 ]
"$vae" train --data photos $small >photos.out 2>&1
check folder_named_like_a_picture_is_stepped_over holds photos.out "photos, 3 images"
refused folder_named_like_images_alone 1 "only holds no training images" train --data only $small
if [ -n "${ON_WINE:-}" ]; then # which does not list such a link
    skip link_to_no_picture "Wine"
else
    refused link_to_no_picture 1 "links/b.png: it cannot be opened" train --data links $small
fi

# ---- values are looked at before the work ----

for file in nan.npy nan.idx nan64.idx; do
    refused "train_names_the_number_of_$file" 1 "$file: image 7: number 21 is NaN" \
        train --data $file $small --model new.safetensors
    refused "test_set_is_looked_at_before_step_0_$file" 1 "$file: image 7: number 21 is NaN" \
        $train --test $file --model new.safetensors
    check "and_nothing_was_trained_$file" lacks refused.out '^epoch '
    for command in eval encode reconstruct interpolate traverse score; do
        out="--out other.npy"
        case $command in eval) out= ;; reconstruct | interpolate | traverse) out="--out other.png" ;; esac
        rm -f other.npy other.png
        refused "${command}_names_the_number_of_$file" 1 "$file: image 7: number 21 is NaN" \
            $command m.safetensors --data $file $out
        check "${command}_of_${file}_writes_nothing" [ ! -e other.npy -a ! -e other.png ]
    done
done
refused held_out_images_are_looked_at 1 "nan.npy: image 7: number 21 is NaN" \
    train --data nan.npy $small --validate 15
refused infinity_is_named 1 "inf.npy: image 19: number 107 is minus infinity" \
    train --data inf.npy $small --likelihood gaussian
"$vae" train --data nan.npy --images 7 $small --quiet
check images_that_are_not_used_do_not_matter [ $? -eq 0 ]
refused number_above_1 1 "above.npy: image 3: number 5 is 1.5; bernoulli takes numbers from 0 to 1" \
    train --data above.npy $small
refused number_below_0_by_the_least 1 "below.npy: image 11: number 0 is -1.4" \
    train --data below.npy $small
refused test_number_above_1 1 "above.npy: image 3: number 5 is 1.5; bernoulli" $train --test above.npy
for command in eval encode reconstruct interpolate traverse score; do
    out="--out other.npy"
    case $command in eval) out= ;; reconstruct | interpolate | traverse) out="--out other.png" ;; esac
    refused "${command}_number_above_1" 1 "above.npy: image 3: number 5 is 1.5; bernoulli" \
        $command m.safetensors --data above.npy $out
done
"$vae" encode g.safetensors --data above.npy --out other.npy --quiet
check gaussian_takes_any_number [ $? -eq 0 ]

"$vae" $train --corrupt gaussian:0.5 --model noise.safetensors --quiet
for command in encode reconstruct; do
    "$vae" $command noise.safetensors --data noisy.npy --quiet
    check "${command}_of_noise_takes_noise" [ $? -eq 0 ]
done
"$vae" train --data ok.npy --encoder "flatten, noise 0.1, dense 8 relu" --decoder= --latent 2 --epochs 1 \
    --batch 8 --threads 1 --model behind.safetensors --quiet
"$vae" encode behind.safetensors --data noisy.npy --quiet
check encode_takes_noise_of_a_layer_behind_flatten [ $? -eq 0 ]
refused eval_of_noise_does_not 1 "noisy.npy: image 9: number 2 is -0.25" eval noise.safetensors --data noisy.npy

# ---- figures that are not finite ----

for command in eval score encode; do
    refused "${command}_names_a_fill_value" 1 "fill.npy: image 4: number 17 is 9.9692" \
        $command g.safetensors --data fill.npy
done
refused train_names_a_fill_value 1 "fill.npy: image 4: number 17 is 9.9692" \
    train --data fill.npy $small --likelihood gaussian --model new.safetensors
refused test_names_a_fill_value 1 "fill.npy: image 4: number 17 is 9.9692" \
    $train --likelihood gaussian --test fill.npy
check fill_value_gets_no_advice_on_rates lacks refused.err "learning rate"
refused score_names_the_image_without_a_figure 1 "large.npy: image 6: its loss is not finite" \
    score wild.safetensors --data large.npy
refused eval_names_the_image_without_a_figure 1 "large.npy: image 6: its loss is not finite" \
    eval wild.safetensors --data large.npy
refused encode_names_the_image_without_a_code 1 "large.npy: row 6: number 0 of the encoder" \
    encode wilder.safetensors --data large.npy
refused reconstruction_that_is_not_finite 1 "not finite: number" decode g.safetensors --in codes_inf.npy
refused decode_names_the_row 1 "codes_nan.npy holds a number in row 3 that is not finite: number 1 is NaN" \
    decode m.safetensors --in codes_nan.npy --out other.npy
refused decode_to_a_picture_names_the_row 1 "codes_nan.npy holds a number in row 3" \
    decode m.safetensors --in codes_nan.npy --out other.png
for out in npy png; do
    refused "decoded_number_names_the_row_$out" 1 "codes_huge.npy: row 4: number" \
        decode g.safetensors --in codes_huge.npy --out other.$out
done
refused decoded_number_of_a_later_batch 1 "codes_late.npy: row 13: number" \
    decode g.safetensors --in codes_late.npy --out other.npy
refused factors_npy_not_finite 1 "factors_inf.npy holds a number in row 18 that is not finite: number 1 is inf" \
    eval m.safetensors --data ok.npy --factors factors_inf.npy
refused factors_idx_not_finite 1 "factors_inf.idx holds a number in row 18 that is not finite: number 1 is NaN" \
    eval m.safetensors --data ok.npy --factors factors_inf.idx
refused label_too_high 1 "labels_high.idx: label 13 is 70000" $train --labels labels_high.idx
refused label_too_low 1 "labels_low.idx: label 4 is -1" $train --labels labels_low.idx

# ---- axes ----

refused channels_first_grey 1 "first1.npy holds images of 1 x 12 x 9, which looks like channels first" \
    train --data first1.npy $small
check channels_first_says_what_to_do holds refused.err "x.transpose(0, 2, 3, 1)"
refused channels_first_colour 1 "first3.npy holds images of 3 x 12 x 9, which looks like" \
    train --data first3.npy $small
refused channels_first_idx 1 "first3.idx holds images of 3 x 12 x 9, which looks like" \
    train --data first3.idx $small
refused channels_first_beside_a_shape 1 "channels first, but --input takes 12 x 9 x 3" \
    train --data first3.npy $small --input 12x9x3
refused channels_first_for_a_model 1 "channels first, but rgb.safetensors takes 12 x 9 x 3" \
    encode rgb.safetensors --data first3.npy --out other.npy
refused channels_first_for_a_test 1 "channels first, but the training set takes 12 x 9 x 3" \
    train --data last3.npy $small --test first3.npy
"$vae" train --data first1.npy $small --input 1x12x9 --quiet
check channels_first_as_typed [ $? -eq 0 ]
rm -f other.npy
"$vae" encode m.safetensors --data first1.npy --out other.npy --quiet
check one_channel_first_is_the_same_image same ok.codes.npy other.npy
"$vae" help train | tr -s ' \n' ' ' >help.out
check help_tells_the_axes holds help.out "channels last. Channels first, as PyTorch saves them"

# ---- pictures that are too large ----

most="268435456 bytes"
refused sample_too_large 2 "$most" sample m.safetensors --count 100000 --zoom 20 --out other.png
refused manifold_too_large 2 "$most" manifold m.safetensors --count 1000 --zoom 9 --out other.png
refused reconstruct_too_large 2 "$most" \
    reconstruct m.safetensors --data many.npy --zoom 20 --count 20000 --out other.png
refused traverse_too_large 2 "$most" traverse m.safetensors --steps 1000 --zoom 64 --out big.png
refused interpolate_too_large 2 "$most" \
    interpolate m.safetensors --data ok.npy --steps 1000 --zoom 64 --out other.png
refused decode_too_large 2 "$most" \
    decode m.safetensors --in codes_many.npy --count 70000 --zoom 20 --out other.png
check too_large_says_what_helps holds refused.err "ask for fewer, or a smaller --zoom"
"$vae" train --data digits --images 64 --test-images 0 --epochs 1 --encoder "dense 4" \
    --decoder "dense 2" --latent 2 --model d.safetensors --quiet
# 28 x 28 twice as large would take 280 MB
"$vae" sample d.safetensors --count 80000 --columns 200 --out many.png --quiet
check zoom_goes_down_until_it_fits [ "$(sides many.png)" = "6002 12002" ]
rm -f many.png
python3 - <<'PYTHON'
import struct
head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 4, 4, 2), }"
open("two.npy", "wb").write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(256))
PYTHON
"$vae" train --data two.npy $small --model two.safetensors --quiet
refused two_channels_are_no_picture 1 "have 2 channels, and a picture has 1 or 3" sample two.safetensors

# ---- sizes that wrap in 32 bits ----

cc32=
for cc in i686-linux-gnu-gcc "gcc -m32"; do
    if [ -z "$cc32" ] && echo 'int main(void) { return 0; }' | $cc -static -x c - -o cc32 2>/dev/null &&
        ./cc32; then cc32=$cc; fi
done
if [ -n "$cc32" ] && $cc32 -O1 -static -DVAE_ONLY_PORTABLE -DVAE_NO_THREADS "$root/tools/vae.c" -o vae32; then
    python3 - <<'PYTHON'
import struct
head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 256, 256), }"
open("p256.npy", "wb").write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(i * 7 % 251 for i in range(4 * 65536)))
npy = lambda rows: b"\x93NUMPY\1\0" + struct.pack("<H", 64) + (b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 2), }" % rows).ljust(64) + bytes(8 * rows)
open("codes_16384.npy", "wb").write(npy(16384))
PYTHON
    ./vae32 train --data p256.npy --encoder "avgpool 32, dense 4" --decoder \
        "dense 64, reshape 8x8x1, upsample 32" --latent 2 --epochs 1 --model wide.safetensors --quiet
    refused32() { # NAME STATUS WORDS ARGUMENTS...: in 3 GB
        sixty_four=$vae vae=./in3gb
        refused "$@"
        vae=$sixty_four
    }
    printf '#!/bin/sh\nulimit -v 3000000\nexec %s/vae32 "$@"\n' "$dir" >in3gb
    chmod +x in3gb
    refused32 sample_of_65536_times_65536_pixels 2 "$most" \
        sample wide.safetensors --count 65536 --out other.png
    refused32 manifold_of_2_to_the_32_pixels 2 "$most" manifold wide.safetensors --count 256 --out other.png
    refused32 traverse_of_2_to_the_32_pixels 2 "$most" \
        traverse wide.safetensors --steps 1000 --zoom 64 --out other.png
    refused32 decode_of_2_to_the_32_pixels 1 "out of memory" \
        decode wide.safetensors --in codes_16384.npy --out other.npy
    refused32 decode_to_a_picture_of_2_to_the_32_pixels 2 "$most" \
        decode wide.safetensors --in codes_16384.npy --count 16384 --out other.png
    refused32 digits_of_2_to_the_32_bytes 1 "out of memory" digits new --images 5478276
    refused32 shapes_of_2_to_the_32_bytes 1 "out of memory" train --data digits --images 500000000
    refused32 npy_of_2_to_the_32_numbers 1 "r_wraps.npy: " train --data r_wraps.npy
else
    skip "sizes that wrap in 32 bits" "no compiler for 32 bits of x86"
fi

end "tool data"
