#!/usr/bin/env bash
# From nothing to a used ShiftAdd classifier: installs missing Debian packages, builds, draws a synthetic image
# set, trains a small vision transformer on it, turns its products into additions and shifts in two stages,
# prints what that cost and saved, and classifies one image with the result.
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

echo "== convert in two stages: configs/quickstart_shiftadd.json -> runs/quickstart_shiftadd"
"$bin/shiftadd-train" configs/quickstart_shiftadd.json --resume auto

image=$(find "$data" -type f | sort | sed -n 1p)  # not head: pipefail
echo "== classify $image"
"$bin/shiftadd-infer" runs/quickstart_shiftadd/shift/model.safetensors "$image" --top-k 3 \
  --routing runs/quickstart_shiftadd/routing.png
