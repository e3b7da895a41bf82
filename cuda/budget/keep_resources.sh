#!/bin/sh
# Runs an nvcc command that makes an object, and keeps beside it, in OBJECT.resources/, the PTX and the machine code of
# each architecture and, in ptxas.log, what ptxas says of each kernel: cuda_budget reads them.
set -e
object=
previous=
for argument; do
  if [ "$previous" = -o ]; then object="$argument"; fi
  previous="$argument"
done
folder="$object.resources"
rm -rf "$folder"
mkdir -p "$folder"
status=0
"$@" -Xptxas=-v --keep --keep-dir "$folder" 2>"$folder/ptxas.log" || status=$?
# Errors and warnings are for whoever builds.
grep -v -e '^ptxas info' -e 'bytes stack frame' "$folder/ptxas.log" >&2 || true
find "$folder" -type f ! -name '*.cubin' ! -name '*.ptx' ! -name ptxas.log -delete
exit "$status"
