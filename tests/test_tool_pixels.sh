#!/bin/sh
# Tests of drawing pixel by pixel: complete, the bar, signals.
#     sh tests/test_tool_pixels.sh build/vae
# Works in a temporary folder. Ends with "tool pixels: N passed, N failed, N skipped".
. "$(dirname "$0")/tool.sh"

train() { # FILE FLAGS...
    file=$1
    shift
    "$vae" train --data digits --images 120 --test-images 20 --epochs 1 --batch 20 --model "$file" \
        --quiet "$@"
}
train p.st --posterior none --binarize dynamic \
    --decoder "image, maskconv 8 5x5 a, res(maskconv 8 3x3 b, gated, maskconv 8 1x1 b)"
train v.st --encoder "" --latent 2 --decoder "image, maskconv 8 5x5 a, gated"
train plain.st --encoder "" --decoder "" --latent 2

"$vae" complete p.st --data digits --rows 14 --seed 3 --out a.png >a.txt
check complete_tells_what_it_wrote holds a.txt '^wrote a.png: 64 images, 8 side by side$'
"$vae" complete p.st --data digits --seed 3 --threads 3 --out b.png --quiet
check half_of_the_rows_and_any_threads_give_the_same same a.png b.png
"$vae" complete p.st --data digits --rows 14 --seed 4 --out b.png --quiet
check another_seed_draws_others sh -c '! cmp -s a.png b.png'
"$vae" complete p.st --data digits --rows 28 --seed 3 --draws 1 --out a.png --quiet
"$vae" complete p.st --data digits --rows 28 --seed 4 --draws 1 --out b.png --quiet
check nothing_is_drawn_when_all_is_given same a.png b.png
"$vae" complete p.st --data digits --rows 0 --mode --count 2 --out a.png >a.txt
check mode_completes_once holds a.txt '^wrote a.png: 6 images, 3 side by side$'
"$vae" complete p.st --data digits --count 1 --first 1999 --out a.png >a.txt
check the_last_image_is_completed holds a.txt '^wrote a.png: 8 images'
refused no_such_image 2 "there is no image 2000" complete p.st --data digits --first 2000
refused more_rows_than_the_image_has 2 "images of p.st have 28 rows" \
    complete p.st --data digits --rows 29
refused complete_needs_image 1 "no layer \`image\`" complete plain.st --data digits
refused complete_needs_a_model_without_a_code 1 "posterior none" complete v.st --data digits
check nothing_is_left_of_refused_ones missing completions.png

# in portions and all at once a drawing is the same: rows are addressed by their numbers
"$vae" sample p.st --count 37 --out a.png --quiet
"$vae" sample p.st --count 37 --threads 3 --out b.png --quiet
check samples_do_not_depend_on_threads same a.png b.png
"$vae" encode v.st --data digits --images 50 --out codes.npy --quiet
for threads in 1 3; do
    "$vae" decode v.st --in codes.npy --threads $threads --out d$threads.npy --quiet
done
check decoded_draws_do_not_depend_on_threads same d1.npy d3.npy
# rows of one code at two places have noise of their own
"${PYTHON:-python3}" -c 'data = open("codes.npy", "rb").read()
open("same.npy", "wb").write(data[:128] + data[128:136] * 50)' &&
    "$vae" decode v.st --in same.npy --out same.out.npy --quiet
check rows_of_one_code_are_drawn_apart "${PYTHON:-python3}" -c 'data = open("same.out.npy", "rb").read()[128:]
rows = {data[i:i + 784 * 4] for i in range(0, len(data), 784 * 4)}
assert len(rows) == 50, len(rows)'

# a signal ends it without a file, a lock or half a line
"$vae" sample p.st --count 60000 --threads 1 --out t.png >t.txt 2>t.err &
sleep 2
kill -TERM $!
wait $!
check a_signal_ends_drawing [ $? -eq 143 ]
check it_is_told holds t.err '^vae: stopped; t.png is not written$'
check no_file_is_left sh -c '! ls -A | grep -q "^t.png"'

if script -q -c true /dev/null >/dev/null 2>&1 </dev/null; then
    TERM=xterm timeout 120 script -q -c "stty cols 80; '$vae' sample p.st --count 3000 --threads 1 \
        --out t.png" /dev/null </dev/null >t.txt
    check a_terminal_sees_a_bar holds t.txt 'drawing \[#*\.*\] [0-9]* of 3000 images'
else
    skip a_terminal_sees_a_bar "no script(1)"
fi
"$vae" sample p.st --count 300 --out t.png >t.txt
check a_file_does_not lacks t.txt drawing

end "tool pixels"
