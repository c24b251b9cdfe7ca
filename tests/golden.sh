#!/bin/sh
# The golden runs: prints the hash of the parameters that one ends with, which is its line of
# tests/golden.txt for every instruction set, compiler, flag set and byte order.
#     sh tests/golden.sh VAE [ISA [MORE FLAGS OF TRAIN]]
# The first run is of dense layers alone; GOLDEN=2: convolutions, norms, dropout and the rest;
# GOLDEN=3: importance weights, penalties, corrupted input, classes; GOLDEN=4: two stochastic layers, a
# full covariance, a flow, a mixture as prior; GOLDEN=5: categories; GOLDEN=6: finite scalar quantisation;
# GOLDEN=7: a PixelCNN; GOLDEN=8: a PixelVAE; GOLDEN=9: a PixelRNN.
# RUNNER=qemu-s390x emulates; IMAGES=160 makes a shorter run, which has another hash.
# When a hash is moved on purpose:
#     for i in 1 2 3 4 5 6 7 8 9; do GOLDEN=$i sh tests/golden.sh build/vae; done >tests/golden.txt
[ $# -ge 1 ] || { echo "usage: sh tests/golden.sh VAE [ISA [FLAGS OF TRAIN]]" >&2; exit 2; }
vae=$1 isa=${2:-auto}
shift
[ $# -eq 0 ] || shift
case $vae in */*) ;; *) vae=./$vae ;; esac
run() { # IMAGES ENCODER DECODER FLAGS...
    images=${IMAGES:-$1} encoder=$2 decoder=$3
    shift 3
    ${RUNNER:-} "$vae" train --data digits --images "$images" ${encoder:+--encoder "$encoder" --latent 8} \
        --decoder "$decoder" --batch 32 --epochs 1 --seed 7 --isa "$isa" "$@"
}
case ${GOLDEN:-1} in
1) out=$(run 1600 "dense 64 relu" "dense 64 relu" "$@") ;;
2)
    out=$(run 320 "conv 8 4x4/2, batchnorm relu, conv 16 3x3 silu, maxpool 2, dropout 0.25, dense 32,
            layernorm tanh" \
        "dense 784 relu, reshape 7x7x16, res(conv 16 3x3, batchnorm), noise 0.1, convt 8 4x4/2 gelu,
            upsample 2, conv 2 3x3" \
        --likelihood logistic_pixel --posterior "normal softplus" --samples 2 "$@")
    ;;
3)
    out=$(run 224 "dense 32 tanh" "dense 32 silu" --objective dreg --k 3 --labels auto \
        --corrupt salt_pepper:0.2 --contract 0.01 --sparse 0.01 \
        --posterior "normal code tanh" --binarize dynamic \
        --beta 0.5 --warmup 0.5 --cycle 1 --optimizer adam_iwae --lr 0.01 "$@")
    ;;
4)
    out=$(run 160 "dense 48 tanh, z 12, dense 24 tanh" "dense 24 tanh, z 12, dense 48 tanh" \
        --posterior "normal full, iaf 16 2" --prior "mixture 3" --objective iwae --k 3 \
        --binarize dynamic "$@")
    ;;
5)
    out=$(run 160 "dense 32 relu" "dense 32 relu" --posterior "categorical 5" --temperature 1 \
        --temperature-end 0.2 --temperature-steps 4 --free-bits 0.1 "$@")
    ;;
6)
    out=$(run 160 "dense 32 relu" "dense 32 relu" --posterior "fsq 8 5 5 5 4 3 2 2" \
        --likelihood gaussian "$@")
    ;;
7)
    out=$(run 64 "" "image, maskconv 16 5x5 a, res(maskconv 8 1x1 b elu, maskconv 16 3x5 b, gated,
            maskconv 16 1x1 b), maskconv 12 3x3 b, gated" \
        --posterior none --binarize dynamic --lr 0.003 "$@")
    ;;
8)
    out=$(run 64 "dense 32 relu" "dense 784 tanh, reshape 28x28x1, image, maskconv 12 3x3 a relu,
            res(maskconv 12 3x3 b, gated, maskconv 12 1x1 b)" \
        --likelihood logistic_pixel "$@")
    ;;
9)
    out=$(run 64 "" "image, maskconv 12 3x3 a relu, diaglstm 8, maskconv 12 1x1 b relu" \
        --posterior none --binarize dynamic "$@")
    ;;
esac || exit 1
hash=$(echo "$out" | tr -d '\r' | sed -n 's/^params_hash *\([0-9a-f]*\)$/\1/p')
[ ${#hash} -eq 16 ] || { echo "no hash in the output: $out" >&2; exit 1; }
echo "$hash"
