#!/bin/sh
# What a reader of the tree relies on: sh tests/style.sh. Ends with "style: N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 2
LC_ALL=C
export LC_ALL
passed=0 failed=0
check() { # NAME FOUND: passes when nothing was found
    if [ -z "$2" ]; then
        echo "ok $1"
        passed=$((passed + 1))
    else
        echo "FAIL $1:"
        echo "$2" | head -n 40 | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}
tree() { find . -type f ! -path './.git/*' ! -path './build/*' ! -path './out/*' "$@"; }

check "lines of vae.h have at most 100 columns" \
    "$(awk 'length > 100 { print "vae.h:" NR ": " length }' vae.h)"
check "vae.h is plain ASCII without tabs and trailing blanks" \
    "$(awk '/[^ -~]/ || / $/ { print "vae.h:" NR ": " $0 }' vae.h)"
check "no file is larger than 1 MB" "$(tree -size +1024k)"
check "no line ends in CR LF" "$(tree \( -name '*.[ch]' -o -name '*.sh' -o -name '*.md' -o -name Makefile \) \
    -exec grep -l "$(printf '\r')\$" {} +)"
check "every macro of >>config has a file in tests/compile" "$(
    sed -n '/>>config/,/\* =====*.*\*\//p' vae.h |
        sed -n 's/^ \*   *\(VAE_[A-Z0-9_]*\).*/\1/p' | while read -r macro; do
        grep -q -w -e "$macro" tests/compile/*.c || echo "$macro"
    done)"
check "every room has its banner" "$(
    for room in config api compiler status arena rng shim functions tiles maps sums densities windows \
        updates dispatch threads gemm layers program codes mixtures priors stochastic likelihoods settings plan model numbers step optim \
        train eval files safetensors io data; do
        grep -q -e "^ \* >>$room " vae.h || echo ">>$room"
    done)"
# the symbols of an object file say the same; here also what a compiler might expand inline
check "no function of libm is called" "$(
    "${CC:-cc}" -fpreprocessed -dD -E -P vae.h 2>/dev/null | grep -w -E -e \
        '(pow|floor|ceil|rint|round|trunc|ldexp|frexp|modf|fma|sqrt|exp|expm1|log|log1p|sin|cos|tanh|erf|fabs|fmod)[fl]? *\(')"
# every public function is VAE__GUARDED but these, which leave floats alone, or (the last five) call
# what is, or enter and leave themselves
check "every public function sets its floating-point environment" "$(
    awk -v none=" vae_version vae_desc_name vae_desc_defaults vae_status_text vae_choice_name vae_choice_find vae_philox vae_random_below \
vae_shuffle vae_isa_best vae_isa_available vae_pool_create vae_pool_destroy vae_pool_parallel \
vae_kind_syntax vae_destroy vae_last_report vae_get_desc vae_params_hash vae_tensor_at vae_tensor_set vae_set_epochs \
vae_inflate vae_data_from_memory vae_data_wrap vae_data_label \
vae_data_free vae_data_load vae_data_save vae_file_save vae_claim_take vae_claim_save vae_claim_drop vae_random_words \
vae_random_uniform vae_random_normal vae_get_info " '
        /^VAE_API / { head = "" }
        /^VAE_API /, /[;{]/ { head = head " " $0 }
        wait { if ($0 !~ /^    VAE__(GUARDED|COMPUTES)\(/) print name " (vae.h:" NR ") is not VAE__GUARDED"; wait = 0 }
        head ~ /\{/ {
            name = head; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
            if (head ~ /\{$/ && !index(none, " " name " ")) wait = 1
            else if (head !~ /\{$/ && !index(none, " " name " ")) print name " is not in the list"
            head = ""
        }' vae.h)"
check "every file of tests is in both programs" "$(
    for file in tests/test_*.c; do
        room=${file#tests/test_} room=${room%.c}
        grep -q -e "^#include \"test_$room.c\"" tests/run.c || echo "$file is not in tests/run.c"
        grep -q -w -e "X($room)" tests/main.c || echo "$room is not in tests/main.c"
    done)"
# two of Windows, and what VAE_FREESTANDING has in place of string.h: all undefined again
check "every macro of vae.h has its prefix" "$(
    sed -n 's/^ *# *define \([A-Za-z0-9_]*\).*/\1/p' vae.h | sort -u | grep -v -e '^VAE_' -e '^vae_' |
        grep -v -x -e WIN32_LEAN_AND_MEAN -e NOMINMAX -e 'mem[a-z]*' -e 'str[a-z]*')"
check "every test is run" "$(
    sed -n 's/^TEST(\([a-z0-9_]*\)).*/\1/p' tests/test_*.c | while read -r name; do
        grep -q -e "RUN($name)" tests/test_*.c || echo "$name"
    done)"
# ---- the rooms of vae.h: tests/rooms.awk says what stands where and who uses what ----

# What was left to mend when these checks began. It may only shrink: what is mended must leave here.
known_circles=""
known_rooms=""
known_functions="VAE__FN(observe) VAE__FN(gemm) VAE__FN(tile)"
mended() { # KNOWN FOUND: of lines "WHAT: WHY" those that are not known, and all known that are not there
    echo "$2" | while IFS= read -r line; do
        case " $1 " in *" ${line%%:*} "*) ;; *) echo "$line" ;; esac
    done
    for what in $1; do
        echo "$2" | grep -q -F -e "$what:" || echo "$what is mended and leaves the list in tests/style.sh"
    done
}
facts=$(awk -f tests/rooms.awk vae.h vae.h)
check "no room of vae.h uses one that stands below it" "$(mended "$known_circles" "$(echo "$facts" | awk '
    $1 == "room" { at[$2] = ++rooms }
    $1 == "uses" { uses[++n] = $0 }
    END {
        for (i = 1; i <= n; i++) {
            split(uses[i], w)
            if (at[w[2]] > at["api"] && at[w[3]] > at[w[2]] && ++seen[w[2] w[3]] <= 3)
                print w[2] ">" w[3] ": " w[4]
        }
    }')")"
# named in its banner or in that of a room named there; >>config and >>api are everybody's
check "the banner of each room of vae.h says what it uses" "$(echo "$facts" | awk '
    $1 == "room" { name[++rooms] = $2; at[$2] = rooms }
    $1 == "says" { says[$2, $3] = reaches[$2, $3] = 1 }
    $1 == "uses" { if (!(($2, $3) in first)) first[$2, $3] = $4 }
    END {
        base = at["api"]
        for (i = base + 1; i <= rooms; i++) # rooms above i have all that they reach
            for (j = base + 1; j < i; j++)
                if (reaches[name[i], name[j]])
                    for (k = base + 1; k < j; k++)
                        if (reaches[name[j], name[k]]) reaches[name[i], name[k]] = 1
        for (i = base + 1; i <= rooms; i++)
            for (j = base + 1; j <= rooms; j++) {
                pair = name[i] SUBSEP name[j]
                if ((pair in first) && j < i && !(pair in reaches))
                    print ">>" name[i] " uses " first[pair] " of >>" name[j] " and does not say so"
                if ((pair in says) && !(pair in first))
                    print ">>" name[i] " uses nothing of >>" name[j] " and says so"
            }
    }')"
check "no room of vae.h has more than 1000 lines" "$(mended "$known_rooms" "$(echo "$facts" |
    awk '$1 == "room" && $3 > 1000 { print $2 ": " $3 " lines" }')")"
check "no function of vae.h has more than 60 lines" "$(mended "$known_functions" "$(echo "$facts" |
    awk '$1 == "function" && $3 > 60 { print $2 ": " $3 " lines, in >>" $4 }')")"
echo "note: vae.h has $(wc -l <vae.h) lines (9800 are the aim) and $(wc -c <vae.h) bytes (460000)"

# rooms of the command: those with a line "uses:" in the banner at their top
check "every room of tools/ includes what its banner says it uses" "$(
    for room in tools/*.h; do
        [ "$(sed -n '2s/^ \* \([a-z_]*\.h\)  .*/\1/p' "$room")" = "${room#tools/}" ] || continue
        says=$(sed -n 's/^ \* uses: //p' "$room" | tr ' ' '\n' | grep '\.h$' | grep -v '^vae\.h$')
        does=$(sed -n 's/^#include "\([a-z_]*\.h\)"$/\1/p' "$room")
        [ "$says" = "$does" ] || echo "$room says" $says, but includes $does
        grep -q '^ \* tests: ' "$room" || echo "$room does not say where its tests are"
    done)"
check "lines of tools/ have at most 100 columns" \
    "$(awk 'length > 100 { print FILENAME ":" FNR ": " length }' tools/*.[ch])"
check "no room of tools/ has more than 1000 lines, no function more than 60" "$(
    for file in tools/*.[ch]; do
        awk '/^[a-zA-Z].*\(/ { name = $0 } /^\{/ { begun = FNR } /^\}/ {
                if (begun && FNR - begun + 1 > 60) print FILENAME ": " FNR - begun + 1 " lines: " name
                begun = 0
            } END { if (FNR > 1000) print FILENAME ": " FNR " lines" }' "$file"
    done)"
[ ! -e README.md ] || check "README.md and tests/golden.txt agree" "$(
    grep -q -F -e "$(head -n 1 tests/golden.txt)" README.md ||
        echo "README.md does not hold $(head -n 1 tests/golden.txt)")"
# pages that a reader opens: targets of links and pictures, and headings that links name with #
check "every link and picture of README.md is there" "$(
    headings=$(sed -n 's/^##* //p' README.md | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9_\n-' | sed 's/^/#/')
    sed '/^```c$/,/^```$/d; s/](/\n](/g' README.md | sed -n 's/^](\([^)]*\)).*/\1/p' | while read -r link; do
        case $link in
        http://* | https://*) ;;
        "#"*) echo "$headings" | grep -q -x -F -e "$link" || echo "no heading $link" ;;
        *) [ -e "$link" ] || echo "$link is not there" ;;
        esac
    done)"
check "every numbered example is in the gallery and the table of README.md" "$(
    for file in examples/[0-9]*.c examples/pictures/gallery/*.png; do
        name=${file##*/} name=${name%.*}
        [ -e "examples/$name.c" ] || echo "examples/$name.c is not there"
        grep -q -F -e "](examples/pictures/gallery/$name.png)](examples/$name.c)" README.md ||
            echo "$name is not in the gallery"
        grep -q -F -e "\`$name.c\`" README.md || echo "$name is not in the table"
    done)"
check "no picture of examples/pictures is without a page" "$(
    for file in examples/pictures/*.png; do grep -q -F -e "$file" README.md || echo "$file"; done)"

echo "style: $passed passed, $failed failed"
[ $failed -eq 0 ]
