#!/usr/bin/env bash
# From nothing to a used ShiftAdd classifier: installs missing Debian packages, builds, draws a synthetic image
# set, trains a small vision transformer on it, turns its products into additions and shifts in two stages,
# prints what that cost and saved, and classifies one image with the result.
# Run again, it goes on where it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
packages="$(cat cmake/build-packages.txt)"
missing="$(bash cmake/install-packages.sh --missing $packages)"
cat <<END
ShiftAdd's quickstart on 2 cores (AMD EPYC, AVX-512): about 4 minutes to build, then 6 to train and convert.
Disk: 0.4 GB here (build/release, runs/quickstart*), and 0.5 GB of Debian packages where none is there yet.
To install by apt: ${missing:-nothing}
END
bash cmake/install-packages.sh $packages
started=$SECONDS
say() { printf '\n== %s  [%d:%02d]\n' "$1" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

say "build: build/release"
cmake --preset release -DSHIFTADD_TESTS=OFF >/dev/null
cmake --build --preset release
bin=build/release/bin
dense=runs/quickstart               # "out" of configs/quickstart.json
converted=runs/quickstart_shiftadd  # "out" of configs/quickstart_shiftadd.json
model="$converted/shift/model.safetensors"

say "train a vision transformer: configs/quickstart.json"
"$bin/shiftadd-train" configs/quickstart.json --resume auto

say "convert it in two stages: configs/quickstart_shiftadd.json"
"$bin/shiftadd-train" configs/quickstart_shiftadd.json --resume auto

# A figure without a pattern of its own: what is seen on the picture is what the routers did.
image="$(find "$dense-data/val/star" -type f | sort | sed -n 1p)"  # not head: pipefail
say "classify $image"
"$bin/shiftadd-infer" "$model" "$image" --top-k 3 --routing "$converted/routing.png"

printf '\nWritten:\n'
printf '  %-48s %s\n' "$converted/report.md" "the table above" \
  "$model" "the converted network, all that inference needs" \
  "$converted/routing.png" "the image, the answer, and what each router did:" \
  "" "gold: tokens that multiply, blue: tokens that shift"
cat <<END
Next:
  # images of your own
  $bin/shiftadd-infer $model IMAGE...
  # a small file for deployment
  $bin/shiftadd-convert $model --pack shiftadd \\
    --out out/quickstart.safetensors
  # your checkpoint and photos/CLASS/*.jpg in five commands:
  # README.md, "Your checkpoint, your images"
END
