#!/bin/sh
# Tests of vae report: sh tests/test_tool_report.sh build/vae. Ends with a line of counts.
# Each kind of model has a page; each page is checked by tests/check_page.py (tags, ids, no reference
# to another file, charts and pictures whole) and, where the validator of npm is there, by that.
. "$(dirname "$0")/tool.sh"
set -u

python=$(command -v python3)
page() { # NAME: the page is well formed, and small
    if [ -n "$python" ]; then check "page_of_$1" "$python" "$root/tests/check_page.py" "$1.html"
    else skip "page_of_$1" "no python3"; fi
    check "size_of_the_page_of_$1" [ "$(wc -c <"$1.html")" -lt 3145728 ]
}
small="--images 150 --test-images 40 --epochs 1 --quiet"
few="--images 40 --samples 1,3 --quiet"
report() { # NAME FLAGS OF TRAIN...
    name=$1
    shift
    # shellcheck disable=SC2086
    "$vae" train --data digits $small --model "$name.safetensors" "$@" &&
        "$vae" report "$name.safetensors" --data digits $few --out "$name.html"
}

# of one model, narrow sections stand in pairs, two figures or two that are left out
paired() {
    awk '/<section id=/ { n++; wide[n] = /class="wide"/ }
        /<p class="soft">Left out/ { lacking[n] = 1 }
        END {
            for (i = 1; i <= n; i++) {
                if (wide[i]) continue
                if (i == n || wide[i + 1] || lacking[i] + 0 != lacking[i + 1] + 0) exit 1
                i++
            }
        }' "$1"
}

check report_of_dense report dense --encoder "dense 30 relu" --decoder "dense 30 relu" --latent 5 \
    --log dense.csv
page dense
for id in trained curves samples codes reconstructions traversals latents rate bounds neighbours \
    strange; do
    check "section_$id" holds dense.html "<section id=\"$id\""
done
sed -n '/over the epochs"/,/<\/svg>/p' dense.html >curves.part
check epochs_have_ticks holds curves.part 'class="mid" [^>]*>[0-9]'
check epochs_are_whole lacks curves.part 'class="mid" [^>]*>[0-9]*[.]'
check one_epoch_is_drawn holds dense.html 'class="line c0 d0" d="M[0-9. ]*h9'
check nothing_of_dense_is_left_out lacks dense.html 'Left out for'
"$vae" eval dense.safetensors --data digits --images 40 --json eval.json --quiet
elbo=$(sed -n 's/.*"test": .*"elbo": -\([0-9.]*\).*/\1/p' eval.json)
check elbo_is_that_of_eval holds dense.html "<dd>${elbo%.*}[.]"
check hash_is_there holds dense.html "$(hash_of eval.json)"
check settings_are_flags holds dense.html '\-\-latent</span> 5'

"$vae" report dense.safetensors --data digits $few --out again.html --threads 3
check the_same_bytes_again same dense.html again.html
"$vae" report dense.safetensors --data digits $few --out portable.html --isa portable
check the_same_bytes_on_another_instruction_set same dense.html portable.html
"$vae" report dense.safetensors --data digits $few --out - >stdout.html 2>/dev/null
check stdout_has_the_page same dense.html stdout.html
cp dense.safetensors named.safetensors
cp dense.csv elsewhere.csv
"$vae" report named.safetensors --data digits $few --out named.html
check without_a_log_curves_are_left_out holds named.html 'there is no log'
"$vae" report named.safetensors --data digits $few --out named.html --log elsewhere.csv
check a_log_of_another_name lacks named.html 'there is no log'

check report_of_conv report conv --encoder "conv 4 4x4/2 relu" --latent 3 \
    --decoder "dense 196 relu, reshape 7x7x4, convt 1 4x4/4" --likelihood gaussian_pixel
page conv
check report_of_autoencoder report autoencoder --objective ae --latent 2
page autoencoder
check an_autoencoder_has_no_bound holds autoencoder.html 'no bound of log p'
check report_of_linear report linear --encoder "" --decoder "" --objective ae --latent 1 \
    --likelihood gaussian
page linear
check report_of_categorical report categorical --posterior "categorical 4" --latent 3
page categorical
check report_of_fsq report fsq --posterior "fsq 5 5 3"
page fsq
check codes_of_levels_are_counted holds fsq.html 'of 75 codes occur'
check report_of_flow report flow --posterior "normal, iaf 10 1" --prior "mixture 3" --latent 4
page flow
check report_of_vamp report vamp --prior "vamp 5" --latent 4
page vamp
check report_of_two_layers report two_layers --encoder "dense 20 tanh, z 6, dense 10 tanh" \
    --decoder "dense 10 tanh, z 6, dense 20 tanh" --latent 3
page two_layers
check both_layers_are_drawn holds two_layers.html 'layer z 6'
check report_of_conditional report conditional --labels auto --latent 3
page conditional
check each_class_is_sampled holds conditional.html 'class 9</div>'
check report_of_pixels report pixels --posterior none --decoder "image, maskconv 4 3x3 a, gated"
page pixels
for name in dense named autoencoder pixels; do check "no_hole_in_the_page_of_$name" paired "$name.html"; done
check pixels_have_no_codes holds pixels.html 'it has no latents'
check pixels_have_no_elbo lacks pixels.html '-ELBO\|>latent<\|>encoder<'
check their_figure_is_the_likelihood holds pixels.html '<dt>-log p(x), nats</dt>'
check report_of_pixelvae report pixelvae --latent 2 --encoder "dense 20 relu" \
    --decoder "dense 784 relu, reshape 28x28x1, image, maskconv 4 3x3 a, gated"
page pixelvae

"$vae" train --data shapes $small --latent 4 --encoder "dense 20 relu" --decoder "dense 20 relu" \
    --model shapes.safetensors
check report_of_colours "$vae" report shapes.safetensors --data shapes $few --out shapes.html
page shapes

"$vae" digits idx --images 60 --test-images 30 --quiet
rm idx/*labels*
"$vae" report dense.safetensors --data idx --samples 1 --out plain.html --quiet
page plain
check without_labels_there_are_no_classes lacks plain.html 'class 0'
"$vae" report dense.safetensors --data idx/t10k-images-idx3-ubyte --samples 1 --out one.html --quiet
page one
check of_one_file_the_training_images_are_unknown holds one.html 'training images are not known'

check report_of_several "$vae" report dense.safetensors pixels.safetensors conv.safetensors \
    --data digits $few --out several.html
page several
check several_are_compared holds several.html 'class="best"'
check one_is_left_out holds several.html 'Left out for pixels'
check other_likelihoods_are_not_compared holds several.html 'their nats do not compare'
check no_best_elbo_among_them lacks several.html '>-ELBO</th>.*class="best"'
mkdir a b
cp dense.safetensors a/m.safetensors
cp categorical.safetensors b/m.safetensors
"$vae" report a/m.safetensors b/m.safetensors --data digits $few --out folders.html
check equal_names_have_their_folder holds folders.html '<h1>a/m.safetensors and b/m.safetensors'
check the_best_elbo_of_one_likelihood holds folders.html '>-ELBO</th>.*class="best"'

# names are no markup
cp dense.safetensors "a<b>&\"c.safetensors"
"$vae" report "a<b>&\"c.safetensors" --data digits $few --out odd.html
page odd
check names_are_escaped holds odd.html 'a&lt;b&gt;&amp;&quot;c'
check names_are_quoted_in_the_command holds odd.html "model</span> 'a&lt;b&gt;&amp;&quot;c.safetensors'"

if [ -n "${HTML_VALIDATE-}" ] || command -v html-validate >/dev/null; then
    for file in *.html; do
        check "validator_$file" ${HTML_VALIDATE:-html-validate} -c "$root/tests/html-validate.json" \
            "$file"
    done
else
    skip validator "no html-validate of npm"
fi

# ---- refusals ----

cp dense.html before.html
refused no_model 2 "needs a MODEL" report --data digits
refused no_data 2 "needs --data" report dense.safetensors
refused missing_data 1 "nowhere" report dense.safetensors --data nowhere --out dense.html
refused missing_model 1 "none.safetensors" report none.safetensors --data digits --out dense.html
refused another_shape 1 "images of 3072 numbers" report dense.safetensors --data shapes \
    --out dense.html
refused another_shape_of_the_second 1 "images of 784 numbers" report dense.safetensors \
    shapes.safetensors --data digits --out dense.html
refused too_many 2 "at most 8 models" report a b c d e f g h i --data digits
refused out_is_the_model 2 "are the same file" report dense.safetensors --data digits \
    --out dense.safetensors
refused out_is_another_model 2 "are the same file" report dense.safetensors conv.safetensors \
    --data digits --out conv.safetensors
refused out_is_the_log 2 "is the log of" report dense.safetensors --data digits --out dense.csv
sed "s/^1,2,/1,7,/" dense.csv >other.csv
refused log_of_another 1 "is not the log of" report conv.safetensors --data digits --log other.csv
refused no_log 1 "none.csv" report conv.safetensors --data digits --log none.csv
refused a_log_of_several 2 "--log is of one model" report conv.safetensors dense.safetensors \
    --data digits --log dense.csv
refused no_labels_for_classes 1 "without labels" report conditional.safetensors --data idx
refused bad_samples 2 "--samples" report dense.safetensors --data digits --samples 0
check refusing_leaves_the_page same dense.html before.html
if [ -w /dev/full ]; then
    refused full_disk 1 "cannot be written" report dense.safetensors --data digits $few --out /dev/full
else
    skip full_disk "no /dev/full"
fi
check nothing_is_left_behind [ -z "$(find . -name '*.vae-*')" ]

# ---- the curve of vae train on a terminal ----

if script -q -c true /dev/null >/dev/null 2>&1 </dev/null; then
    on_terminal() { # SETTINGS [COLUMNS]
        timeout 60 script -q -c "stty cols ${2-80} rows 30; $1 exec '$vae' train --data digits \
            --images 200 --test-images 20 --epochs 3 --latent 2 --encoder '' --decoder ''" \
            /dev/null </dev/null >terminal.out 2>&1
    }
    up=$(printf '\033\\[6A') colour=$(printf '\033\\[36m')
    on_terminal "LC_ALL=C.UTF-8 TERM=xterm"
    check a_curve_is_drawn holds terminal.out 'test -ELBO now .*, of 3 epochs'
    check in_its_place holds terminal.out "$up"
    check in_colour holds terminal.out "$colour"
    on_terminal "LC_ALL=C.UTF-8 TERM=xterm" 24
    check in_its_place_in_a_narrow_window holds terminal.out "$up"
    on_terminal "LC_ALL=C.UTF-8 TERM=xterm NO_COLOR=1"
    check a_curve_without_colour holds terminal.out 'test -ELBO now .*, of 3 epochs'
    check NO_COLOR_is_heard lacks terminal.out "$colour"
    for setting in "LC_ALL=C.UTF-8 TERM=dumb" "LC_ALL=C TERM=xterm"; do
        on_terminal "$setting"
        check "no_curve_with_$setting" lacks terminal.out 'of 3 epochs'
    done
else
    skip the_curve_on_a_terminal "no script command"
fi

end "vae report"
