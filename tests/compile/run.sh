#!/bin/sh
# One small program per build macro and per way to include vae.h, each compiled without a warning, linked
# without -lm and run; all must print the same hash. sh tests/compile/run.sh [COMPILER...]
# Ends with "compile: N passed, N failed, N skipped".
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
[ $# -gt 0 ] || set -- gcc clang tcc
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
threads="clock_gettime pthread_attr_destroy pthread_attr_init pthread_attr_setstacksize pthread_create
pthread_join pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock pthread_mutex_destroy
pthread_cond_init pthread_cond_wait pthread_cond_signal pthread_cond_broadcast pthread_cond_destroy"
# all that an implementation may ask of the C library; nothing of it is in libm
libc="__errno_location __stack_chk_fail _GLOBAL_OFFSET_TABLE_ bcmp close fchmod fchown fcntl flock free fstat fsync
geteuid getpid malloc memchr memcmp memcpy memmove memset open read remove rename stat strchr strcmp strcspn strlen strncmp strspn strstr
unlink write $threads __fixunsdfdi __floatundidf __va_arg" # the last three are tcc's own
files="__errno_location close fchmod fchown fcntl flock fstat fsync geteuid getpid open read remove rename stat unlink write"

ok() { echo "ok $cc $1"; }
skip() { echo "skip $cc $1 ($2)"; }
fail() { echo "FAIL $cc $1"; tail -n 40 "$work/log" | sed 's/^/    /'; }

# program NAME COMMAND...: the command makes ./a.out, which must print the hash
program() {
    name=$1
    shift
    rm -f a.out
    if "$@" >"$work/log" 2>&1 && [ ! -s "$work/log" ] && ./a.out >"$work/log" 2>&1 &&
        [ "$(sort -u "$work/log")" = "$hash" ]; then
        ok "$name"
    else
        fail "$name"
    fi
}

# refused NAME WORDS COMMAND...: the compiler says no, with these words
refused() {
    name=$1 words=$2
    shift 2
    if "$@" >"$work/log" 2>&1; then
        echo "compiles, and must not" >>"$work/log"
        fail "$name"
    elif grep -q -F -e "$words" "$work/log"; then
        ok "$name"
    else
        fail "$name"
    fi
}

# symbols NAME OBJECT ALLOWED...: the object asks for no other symbol
symbols() {
    name=$1 object=$2
    shift 2
    if ! nm -u "$object" >"$work/nm" 2>"$work/log"; then fail "$name"; return; fi
    : >"$work/log"
    for symbol in $(sed 's/.* //' "$work/nm"); do
        case " $(echo "$*" | tr '\n' ' ') " in
        *" $symbol "*) ;;
        *) echo "asks for $symbol" >>"$work/log" ;;
        esac
    done
    if [ -s "$work/log" ]; then fail "$name"; else ok "$name"; fi
}

# without_names NAME OBJECT PREFIX...: no function of the object has a name that begins like this
without_names() {
    name=$1 object=$2
    shift 2
    : >"$work/log"
    for prefix in "$@"; do nm "$object" | grep " [_]*$prefix" >>"$work/log"; done
    if [ -s "$work/log" ]; then fail "$name"; else ok "$name"; fi
}

without() { # WORDS LIST...: the list without the words
    words=$1
    shift
    for word in "$@"; do
        case " $words " in *" $word "*) ;; *) printf '%s ' "$word" ;; esac
    done
}

each() { # COMPILER
    cc=$1
    work=$dir/$cc
    mkdir -p "$work/run" "$work/self" "$work/lib" "$work/app/deep" "$work/pch" "$work/pch_header" \
        "$work/own" &&
        cd "$work/run" || exit 2
    if ! command -v "$cc" >/dev/null 2>&1; then skip everything "not installed"; return; fi
    case $cc in
    tcc*) c=$cc cxx= ;;
    *clang*) c="$cc -std=c99 $warnings" cxx="$(echo "$cc" | sed 's/clang/clang++/') -std=c++11 $warnings" ;;
    *) c="$cc -std=c99 $warnings" cxx="$(echo "$cc" | sed 's/gcc/g++/') -std=c++11 $warnings" ;;
    esac
    if [ -n "$cxx" ] && ! command -v "${cxx%% *}" >/dev/null 2>&1; then
        skip "all of C++" "no ${cxx%% *}"
        cxx=
    fi

    # without the SIMD passes it takes half the time: for what has nothing to do with them
    small="$c -DVAE_ONLY_PORTABLE" small_cxx="$cxx -DVAE_ONLY_PORTABLE"

    # the reference is the plain program; the others are compared with it
    if ! $c "$here/plain.c" >"$work/log" 2>&1 || ! hash=$(./a.out 2>>"$work/log"); then
        fail plain
        return
    fi
    ok plain
    echo "$hash" >"$work/hash"
    program stdio_first $c "$here/stdio_first.c"
    for name in api malloc assert only_portable no_threads no_data no_conv no_codes no_pixels no_densities \
        no_messages no_malloc allow_x87 header_first; do
        program $name $small "$here/$name.c"
    done
    for name in no_avx2 no_avx512 sse2; do program $name $c "$here/$name.c"; done
    case $(uname -m)-$cc in
    x86_64-gcc* | x86_64-clang*) program "plain -mno-popcnt" $c -mno-popcnt "$here/plain.c" ;;
    esac
    case $cc-$(uname -m) in
    tcc*) refused no_portable_alone "no kernels at all" $c "$here/no_portable.c" ;;
    *aarch64) program no_portable $c "$here/no_portable.c" ;;
    *)
        refused no_portable_alone "no kernels at all" $small "$here/no_portable.c"
        $c "$here/no_portable.c" -o no_portable.out >"$work/no_portable.log" 2>&1
        if grep -q -w avx2 /proc/cpuinfo; then
            program no_portable sh -c "cat '$work/no_portable.log'; mv no_portable.out a.out"
            mv a.out no_portable.out
        fi
        if ! command -v qemu-x86_64 >/dev/null 2>&1; then
            skip no_portable_on_an_old_processor "no qemu-x86_64"
        elif cp "$work/no_portable.log" "$work/log" &&
            qemu-x86_64 -cpu Nehalem ./no_portable.out >"$work/log" 2>&1 && grep -q VAE_NO_PORTABLE "$work/log"; then
            ok no_portable_on_an_old_processor
        else
            fail no_portable_on_an_old_processor
        fi
        ;;
    esac
    case $cc in tcc*) ;; *) program refused_threads $small "$here/refused_threads.c" ;; esac
    program static_in_two_files $small "$here/static_a.c" "$here/static_b.c"
    cp "$root/vae.h" "$work/self/net.h"
    program self_under_another_name $small -I"$work/self" "$here/self.c"
    # the manual's own words: its functions go before the table, its row to the table's end
    for own in "layer layers twice vae__twice" "likelihood likelihoods laplace vae__laplace" \
        "posterior posteriors flat vae__flat" "prior priors shifted vae__shifted"; do
        set -- $own
        awk -v table="$2" -v row="$3" -v first="$4" '
            substr($0, 1, 3) == " * " && /static/ && index($0, first "(") { on = 1 }
            on && /^ \*$/ { next }
            on && index($0, "{\"" row "\"") { on = 2 }
            on == 1 { text = text substr($0, 8) "\n" }
            on == 2 { rows = rows substr($0, 8) "\n"; if (/},$/) on = 0 }
            $0 == "/* ---- the table of " table " ---- */" { printf "%s", text; inside = 1 }
            inside && ($0 == "};" || /without a name: the end of a group/) { printf "%s", rows; inside = 0 }
            { print }' "$root/vae.h" >"$work/own/vae.h"
        program "own_$1_of_the_manual" $small -I"$work/own" -I"$here" "$here/own_$1.c"
    done
    refused malloc_without_free "VAE_MALLOC and VAE_FREE together" \
        $c "-DVAE_MALLOC(size)=0" -c "$here/impl.c" -o "$work/refused.o"

    case $cc in
    tcc* | *clang*) skip single_precision_constant "$cc has no -fsingle-precision-constant" ;;
    *)
        refused single_precision_constant vae__refuses_fsingle_precision_constant \
            $small -fsingle-precision-constant -fsyntax-only "$here/impl.c"
        ;;
    esac

    program user_macros $c "$here/user_macros.c"
    [ -z "$cxx" ] || program cpp_user_macros $small_cxx -x c++ "$here/user_macros.c"

    # ways to include
    program include_path_absolute $small -I"$root" "$here/include_path.c"
    cp "$root/vae.h" "$work/lib" && cp "$here/include_path.c" "$here/loop.h" "$work/app/deep" &&
        cd "$work/app" || exit 2
    program include_path_relative $small -I../lib deep/include_path.c
    cp "$root/vae.h" "$work/app/deep" && cd "$work" || exit 2
    program include_beside_the_file $small -Iapp/deep app/deep/include_path.c
    cd "$work/run" || exit 2

    # how much stack calls take; clang keeps every temporary in memory at -O0
    case $cc in
    tcc*) skip stack "no threads with tcc" ;;
    *)
        if $c -O0 "$here/stack.c" -o stack.out >"$work/log" 2>&1 && ./stack.out >"$work/log" 2>&1; then
            ok stack_at_O0
            sed "/KB$/s/^/    /; s/^skip /skip $cc stack_at_O0 on /" "$work/log"
        else
            fail stack_at_O0
        fi
        ;;
    esac

    # two files, objects kept for a look at what they ask for
    program header_and_implementation_apart sh -c "$c -c '$here/impl.c' -o impl.o &&
        $c -c '$here/user.c' -o user.o && ${cc} impl.o user.o"
    [ -e impl.o ] && symbols no_libm_at_O0 impl.o $libc
    case $cc in
    tcc*) ;;
    *)
        if $c -Ofast -c "$here/impl.c" -o fast.o >"$work/log" 2>&1; then
            symbols no_libm_at_Ofast fast.o $libc
        else
            fail no_libm_at_Ofast
        fi
        ;;
    esac
    if $small -c "$here/no_threads.c" -o no_threads.o >"$work/log" 2>&1; then
        symbols no_threads_asks_for_none no_threads.o printf fprintf stderr puts exit $(without "$threads" $libc)
    else
        fail no_threads_asks_for_none
    fi
    if $small -c "$here/no_data.c" -o no_data.o >"$work/log" 2>&1; then
        without_names no_data_has_no_reader no_data.o vae__gz_ vae__idx_ vae_inflate vae_data_load
    else
        fail no_data_has_no_reader
    fi
    # at -O0 gcc keeps what nobody calls
    program no_train sh -c "$small -DLOOP_KEEP '$here/plain.c' -o keep && ./keep >/dev/null &&
        $small '$here/no_train.c'"
    if $small -O1 -c "$here/no_train.c" -o no_train.o >"$work/log" 2>&1; then
        case $cc in
        tcc*) skip no_train_has_no_backward "tcc keeps what nobody calls" ;;
        *) without_names no_train_has_no_backward no_train.o vae__dense_bwd vae__adam_ vae__conv_grad \
            vae__do_fit vae_fit vae_train_step vae__act_bwd ;;
        esac
    else
        fail no_train_has_no_backward
    fi
    program only_decode sh -c "$small -DLOOP_WHOLE '$here/only_decode.c' -o whole && ./whole &&
        $small '$here/only_decode.c'"
    if $small -O1 -c "$here/only_decode.c" -o only_decode.o >"$work/log" 2>&1; then
        case $cc in
        tcc*) skip only_decode_has_no_draw "tcc keeps what nobody calls" ;;
        *) without_names only_decode_has_no_draw only_decode.o vae__draw_ vae__words_ vae__kl_ vae__bernoulli_ \
            vae__normal_ vae__code_fwd vae__likelihood_fwd vae__pack_t_ vae_create vae_encode vae_gemm vae_desc_ ;;
        esac
    else
        fail only_decode_has_no_draw
    fi
    if $small -O1 -c "$here/no_conv.c" -o no_conv.o >"$work/log" 2>&1; then
        case $cc in
        tcc*) skip no_conv_has_no_convolution "tcc keeps what nobody calls" ;;
        *) without_names no_conv_has_no_convolution no_conv.o vae__conv_ vae__overlay_ vae__pool_fwd ;;
        esac
    else
        fail no_conv_has_no_convolution
    fi
    if $small -O1 -c "$here/no_codes.c" -o no_codes.o >"$work/log" 2>&1; then
        case $cc in
        tcc*) skip no_codes_has_no_flow "tcc keeps what nobody calls" ;;
        *) without_names no_codes_has_no_flow no_codes.o vae__full_ vae__planar_ vae__iaf_ vae__prior_fwd \
            vae__mixture_ vae__vamp_ vae__component ;;
        esac
    else
        fail no_codes_has_no_flow
    fi
    program no_stdio sh -c "$small -c '$here/no_stdio.c' -o no_stdio.o &&
        $c -DVAE_NO_STDIO '$here/user.c' no_stdio.o"
    [ -e no_stdio.o ] && symbols no_stdio_has_no_file_calls no_stdio.o $(without "$files" $libc)
    if $small "-DVAE_MALLOC(n)=0" "-DVAE_FREE(p)=(void)(p)" -c "$here/impl.c" -o own.o \
        >"$work/log" 2>&1; then
        symbols own_malloc_replaces_malloc own.o $(without "malloc free" $libc)
    else
        fail own_malloc_replaces_malloc
    fi
    if $small -c "$here/no_malloc.c" -o no_malloc.o >"$work/log" 2>&1; then
        symbols no_malloc_asks_for_none no_malloc.o printf fprintf stderr puts exit $(without "malloc free" $libc)
    else
        fail no_malloc_asks_for_none
    fi
    if $small -O1 -c "$here/no_densities.c" -o no_densities.o >"$work/log" 2>&1; then
        case $cc in
        tcc*) skip no_densities_has_none "tcc keeps what nobody calls" ;;
        *) without_names no_densities_has_none no_densities.o vae__density_loss vae__density_portable vae__categorical_ vae__v_logistic \
            vae__v_cb_ vae__logistic_ ;;
        esac
    else
        fail no_densities_has_none
    fi
    case $cc in
    tcc*) refused freestanding "needs gcc or clang" $c "$here/freestanding.c" ;;
    *)
        for level in -Os -O2 -Ofast; do
            if $c $level -ffreestanding -c "$here/freestanding.c" -o freestanding.o >"$work/log" 2>&1; then
                symbols "freestanding_asks_for_four_functions $level" freestanding.o memcpy memmove memset memcmp \
                    __stack_chk_fail _GLOBAL_OFFSET_TABLE_
            else
                fail "freestanding $level"
            fi
        done
        $c -ffreestanding -M "$here/freestanding.c" | tr ' ' '\n' |
            grep -E '/(string|stdlib|stdio|errno|time|pthread|unistd)\.h$' >"$work/log"
        if [ -s "$work/log" ]; then fail freestanding_headers; else ok freestanding_headers; fi
        ;;
    esac
    # the API's enums: a program whose enums are short with objects whose enums are not, and back
    case $cc in
    tcc*) skip enum_sizes "tcc has no -fshort-enums" ;;
    *)
        program enum_sizes sh -c "$c -fshort-enums '$here/enum_sizes.c' impl.o"
        program enum_sizes_of_the_implementation sh -c \
            "$small -fshort-enums -c '$here/impl.c' -o short.o && $c '$here/enum_sizes.c' short.o"
        [ -z "$cxx" ] || program cpp_enum_sizes $cxx -fshort-enums -x c++ "$here/enum_sizes.c" -x none impl.o
        # no test may skip an enum that is new
        for type in $(sed -n 's/^typedef enum \(vae_[a-z]*\).*/\1/p' "$root/vae.h"); do
            grep -q "INT_SIZED($type)" "$here/enum_sizes.c" || echo "$type is not in enum_sizes.c"
        done >"$work/log"
        if [ -s "$work/log" ]; then fail enum_sizes_knows_every_enum; else ok enum_sizes_knows_every_enum; fi
        ;;
    esac
    if [ -n "$cxx" ]; then
        program cpp $cxx -x c++ "$here/plain.c"
        program cpp_user_of_c $cxx impl.o "$here/user.cpp"
        program cpp20_designated_initialisers $cxx -std=c++20 impl.o "$here/designated.cpp"
        program cpp_user_of_cpp $small_cxx "$here/impl.cpp" "$here/user.cpp"
        program c_user_of_cpp sh -c "$small_cxx -c '$here/impl.cpp' -o cpp.o && $cc user.o cpp.o"
        program cpp_static_in_two_files $small_cxx -x c++ "$here/static_a.c" "$here/static_b.c"
    fi

    # precompiled, header alone and with the implementation
    case $cc in
    tcc*) skip precompiled "tcc has no precompiled headers" ;;
    *clang*)
        program precompiled_header sh -c "$c -x c-header '$root/vae.h' -o header.pch &&
            $c -I'$root' -I'$here' -include-pch header.pch '$here/precompiled.c' -c -o pre.o &&
            $cc pre.o impl.o"
        program precompiled_implementation sh -c \
            "$c -DVAE_IMPLEMENTATION -x c-header '$root/vae.h' -o impl.pch &&
            $c -DVAE_IMPLEMENTATION -I'$root' -include-pch impl.pch '$here/precompiled.c'"
        ;;
    *) # once the .gch is there, the header itself is broken: only the .gch can have been used
        cp "$root/vae.h" "$work/pch_header" && cp "$root/vae.h" "$work/pch" || exit 2
        program precompiled_header sh -c "cd '$work/pch_header' && $c -x c-header vae.h -o vae.h.gch &&
            echo '#error not the precompiled one' >vae.h && cd '$work/run' &&
            $c -Winvalid-pch -I'$work/pch_header' -c '$here/precompiled.c' -o pre.o && $cc pre.o impl.o"
        program precompiled_implementation sh -c \
            "cd '$work/pch' && $c -DVAE_IMPLEMENTATION -x c-header vae.h -o vae.h.gch &&
            echo '#error not the precompiled one' >vae.h && cd '$work/run' &&
            $c -DVAE_IMPLEMENTATION -Winvalid-pch -I'$work/pch' '$here/precompiled.c'"
        ;;
    esac

    # the 387: clang can compute on nothing else for such a processor, gcc is told to use SSE2
    case $cc in
    *clang*)
        i387="$cc --target=i386-linux-gnu -march=pentium -fsyntax-only -isystem /usr/i686-linux-gnu/include"
        if echo '#include <stdlib.h>' | $i387 -x c - 2>/dev/null; then
            refused x87_is_refused "VAE_ALLOW_X87" $i387 "$here/plain.c"
            if $i387 "$here/allow_x87.c" >"$work/log" 2>&1; then ok x87_allowed; else fail x87_allowed; fi
        else
            skip x87 "no 32-bit C library headers"
        fi
        ;;
    esac
}

# JOBS=2 compilers at a time
running=0
for cc in "$@"; do
    (each "$cc") >"$dir/$cc.out" 2>&1 &
    running=$((running + 1))
    if [ $running -eq "${JOBS:-2}" ]; then wait; running=0; fi
done
wait
for cc in "$@"; do cat "$dir/$cc.out"; done >"$dir/all"
cat "$dir/all"
failed=$(grep -c '^FAIL ' "$dir/all")
if [ "$(cat "$dir"/*/hash 2>/dev/null | sort -u | wc -l)" -gt 1 ]; then
    echo "FAIL compilers disagree about the hash"
    failed=$((failed + 1))
fi
passed=$(grep -c '^ok ' "$dir/all")
echo "compile: $passed passed, $failed failed, $(grep -c '^skip ' "$dir/all") skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
