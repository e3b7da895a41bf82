#!/usr/bin/env bash
# From nothing to a trained and used classifier: installs missing Debian packages, builds, draws a synthetic
# image set, trains a small vision transformer on it, evaluates the model file and classifies one image.
set -euo pipefail
cd "$(dirname "$0")/.."
bash cmake/install-packages.sh $(cat cmake/build-packages.txt)
out=${1:-out/quickstart}

echo "== build"
cmake --preset release -DSHIFTADD_TESTS=OFF >/dev/null
cmake --build --preset release
bin=build/release/bin

echo "== train (configs/quickstart.json -> $out)"
"$bin/shiftadd-train" configs/quickstart.json --out "$out" --resume auto

echo "== evaluate $out/model.safetensors"
"$bin/shiftadd-infer" "$out/model.safetensors" --eval "$out/data/val"

image=$(find "$out/data/val" -type f | sort | head -n 1)
echo "== classify $image"
"$bin/shiftadd-infer" "$out/model.safetensors" "$image" --top-k 3
