#!/usr/bin/env bash
# From nothing to a trained and used classifier: installs missing Debian packages, builds, draws a synthetic
# image set, trains a small vision transformer on it, evaluates the model file and classifies one image.
# Run again, it goes on where it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
bash cmake/install-packages.sh $(cat cmake/build-packages.txt)

echo "== build"
cmake --preset release -DSHIFTADD_TESTS=OFF >/dev/null
cmake --build --preset release
bin=build/release/bin
run=runs/quickstart            # "out" of configs/quickstart.json
data=runs/quickstart-data/val  # its synthetic set

echo "== train: configs/quickstart.json -> $run"
"$bin/shiftadd-train" configs/quickstart.json --resume auto

echo "== evaluate $run/model.safetensors"
"$bin/shiftadd-infer" "$run/model.safetensors" --eval "$data"

image=$(find "$data" -type f | sort | sed -n 1p)  # not head: pipefail
echo "== classify $image"
"$bin/shiftadd-infer" "$run/model.safetensors" "$image" --top-k 3
