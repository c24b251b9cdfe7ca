#!/bin/sh
# Makes the files of this folder anew with commit c0426e9, in a folder of its own, and says which
# differ from those that are kept: sh tests/old/make.sh. Needs the repository's history.
set -eu
cd "$(dirname "$0")/../.." && root=$PWD
old=c0426e9
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
git archive $old vae.h tools | tar -xf - -C "$dir"
cp tests/old/make.c tests/old/data.h "$dir"
cd "$dir"
cc=${CC:-cc}
$cc -O1 -DVAE_ONLY_PORTABLE -I. make.c -o make
$cc -O1 -DVAE_ONLY_PORTABLE tools/vae.c -o vae
./make
# the command: three epochs, then from that file to eight
set -- --data images.idx --test images.idx --model tool.safetensors --quiet
./vae train "$@" --encoder 'dense 12 tanh' --decoder 'dense 9 relu' --latent 3 --batch 16 \
    --epochs 3 --schedule plateau --ema 0.9 --validate 20 --warmup 2
cp tool.safetensors kept
./vae train "$@" --resume --epochs 8 --validate 20 --json tool.json
cp tool.safetensors end
mv kept tool.safetensors
sed -n 's/.*"params_hash": *"\([0-9a-f]*\)".*/\1/p' tool.json >tool.hash
cksum <end >>tool.hash
cd "$root"
status=0
for file in hashes.txt images.idx tool.hash tool.safetensors \
    $(sed -n 's/^\([a-z_]*\) .*/\1.safetensors/p' "$dir/hashes.txt"); do
    cmp -s "$dir/$file" "tests/old/$file" && continue
    echo "$file differs, and is new now"
    cp "$dir/$file" "tests/old/$file"
    status=1
done
[ $status -ne 0 ] || echo "all as they are kept"
exit $status
