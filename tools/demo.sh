#!/bin/sh
# Trains a variational autoencoder and shows in pictures what it has learned; behind `make demo`.
#   DATA  a folder with IDX files (MNIST or another set). Empty: digits that the program draws
#   OUT   where the files go. Empty: out
#   VAE   the command. Empty: build/vae
set -eu
data=${DATA:-digits} out=${OUT:-out} vae=${VAE:-build/vae}
mkdir -p "$out"

echo "Training 784-400-20-400-784 on ${data}:"
"$vae" train --data "$data" --images 40000 --epochs 10 --encoder "dense 400 relu" \
    --decoder "dense 400 relu" --latent 20 --lr 2e-3 --ema 0.99 --model "$out/model.safetensors" \
    --json "$out/model.json"

"$vae" sample "$out/model.safetensors" --quiet --count 200 --columns 20 --out "$out/samples.png"
"$vae" reconstruct "$out/model.safetensors" --data "$data" --quiet --count 60 --columns 20 \
    --out "$out/reconstructions.png"
"$vae" interpolate "$out/model.safetensors" --data "$data" --quiet --count 10 --steps 18 \
    --out "$out/interpolations.png"
"$vae" traverse "$out/model.safetensors" --data "$data" --quiet --count 10 --steps 15 --image 4 \
    --out "$out/traversal.png"

echo
echo "Training a second one with 2 latents, whose whole latent space is a picture ..."
"$vae" train --data "$data" --images 20000 --epochs 15 --encoder "dense 256 relu" \
    --decoder "dense 256 relu" --latent 2 --lr 2e-3 --ema 0.99 --quiet \
    --model "$out/plane.safetensors"
"$vae" manifold "$out/plane.safetensors" --quiet --count 20 --out "$out/manifold.png"

cat <<END

In $out/:
  samples.png          drawn from the prior: images that nobody ever wrote
  reconstructions.png  test images, below each what 20 numbers keep of it
  interpolations.png   on each row the way from one test image to another
  traversal.png        one image while one latent at a time goes from -3 to 3, the ten that
                       matter most
  manifold.png         all that the second model, with 2 latents, can draw
  model.safetensors    the model, for '$vae sample' and the other commands
  model.json           its figures
  plane.safetensors    the second model
END
