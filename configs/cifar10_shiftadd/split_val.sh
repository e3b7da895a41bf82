#!/usr/bin/env bash
# Splits a labelled tar into two halves, as many images of each class in both, drawn by a seed: decisions are made on
# the first, and the second is looked at once. The same seed gives the same halves.
#   bash configs/cifar10_shiftadd/split_val.sh VAL.tar FOLDER [SEED]   writes FOLDER/val_first.tar, FOLDER/val_second.tar
set -euo pipefail
tar=$(realpath "$1") out=$(realpath "$2") seed=${3:-15}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir images lists
tar xf "$tar" -C images
for class in images/*/; do
  class=$(basename "$class")
  ls "images/$class" | LC_ALL=C sort | shuf --random-source=<(yes "$seed") >drawn
  half=$(($(wc -l <drawn) / 2))
  head -n "$half" drawn | sed "s|^|$class/|" >>lists/first
  tail -n +$((half + 1)) drawn | sed "s|^|$class/|" >>lists/second
done
for half in first second; do
  LC_ALL=C sort -o "lists/$half" "lists/$half"
  tar cf "$out/val_$half.tar" -C images --mtime=@0 --owner=0 --group=0 -T "lists/$half"
done
wc -l lists/first lists/second | sed '$d' >&2
