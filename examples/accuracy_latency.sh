#!/usr/bin/env bash
# Accuracy against latency of the networks that configs/cifar10_shiftadd trains, packed in each form, as a table
# and a picture, with other programs' figures beside. Needs finished runs of dense.json, hybrid.json and linear.json.
#   bash examples/accuracy_latency.sh [VAL.tar] [PEERS.csv]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=build/release/bin
runs=runs/cifar10_shiftadd
out=out/accuracy_latency
val=${1:-../shared/data/cifar10/val.tar}
peers=${2:-configs/cifar10_shiftadd/results/peers.csv}
mkdir -p "$out"

models=()
pack() {  # NAME RUN OPTION...: packs a run's model
  local name=$1 run=$2 file
  file="$out/$(echo "$name" | tr ' ,' '_').safetensors"
  "$bin/shiftadd-convert" "$runs/$run/model.safetensors" "${@:3}" --calibrate "$val" --out "$file"
  models+=("$name=$file")
}
for format in float32 bf16 int8; do pack "dense, $format" dense --pack $format; done
for format in float32 bf16 int8; do
  pack "ShiftAdd softmax_add, $format" hybrid/shift --pack shiftadd --multiply $format
done
for format in float32 int8; do
  pack "ShiftAdd linear_add, $format" linear/shift --pack shiftadd --multiply $format
done
"$bin/shiftadd-bench" compare "${models[@]}" --eval "$val" --peers "$peers" --out "$out/accuracy_latency.svg"
echo "wrote $out/accuracy_latency.svg" >&2
