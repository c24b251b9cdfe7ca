#!/bin/sh
# The golden run: prints the hash of the parameters it ends with, which is the first line of
# tests/golden.txt for every instruction set, compiler, flag set and byte order.
#     sh tests/golden.sh VAE [ISA [MORE FLAGS OF TRAIN]]
# RUNNER=qemu-s390x emulates; IMAGES=160 makes a shorter run, which has another hash.
# When the hash is moved on purpose: sh tests/golden.sh build/vae >tests/golden.txt
[ $# -ge 1 ] || { echo "usage: sh tests/golden.sh VAE [ISA [FLAGS OF TRAIN]]" >&2; exit 2; }
vae=$1 isa=${2:-auto}
shift
[ $# -eq 0 ] || shift
case $vae in */*) ;; *) vae=./$vae ;; esac
out=$(${RUNNER:-} "$vae" train --data digits --images "${IMAGES:-1600}" \
    --encoder "dense 64 relu" --decoder "dense 64 relu" --latent 8 --batch 32 --epochs 1 --seed 7 \
    --isa "$isa" "$@") || exit 1
hash=$(echo "$out" | sed -n 's/^params_hash *\([0-9a-f]*\)$/\1/p')
[ ${#hash} -eq 16 ] || { echo "no hash in the output: $out" >&2; exit 1; }
echo "$hash"
