#!/usr/bin/env bash
# Breaks one thing in a kernel at a time, and expects the tests to notice: a mutant that they pass is a failure.
#   tests/cuda/mutate.sh [NAME...]     all mutants of mutants.txt, or those named
# It works on a copy of the tree below the build folder, whose tests are built once and then again for each mutant.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${SHIFTADD_MUTANTS:-build/mutants}"
mkdir -p "$work"
work="$(cd "$work" && pwd -P)"
root="$(pwd -P)"
rm -rf "$work/tree"
mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -m -C "$work/tree"  # newer than objects of a mutant
# Tests look for ../shared beside the tree.
export SHIFTADD_GOLDEN="${SHIFTADD_GOLDEN:-$root/../shared/golden}"
[ -d "$SHIFTADD_GOLDEN" ] || export SHIFTADD_GOLDEN="$root/tests/golden"

cmake -S "$work/tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSHIFTADD_CUDA=OFF >"$work/log"
build() { cmake --build "$work/build" --target test_cuda test_cuda_checked >>"$work/log" 2>&1; }
# The names of the programs that fail: those of their tests that run the kernels of mutants.txt. A mutant may hang, which
# is noticed, too.
failing() {
  for program in test_cuda test_cuda_checked; do
    timeout 300 "$work/build/bin/$program" --source-file='*product_test.cpp,*engine_test.cpp,*elementwise_test.cpp' >>"$work/log" 2>&1 ||
      echo "$program"
  done
}
build || { tail -n 30 "$work/log"; echo "mutate.sh: the tree as it is does not build"; exit 1; }
found="$(failing)"
[ -z "$found" ] || { echo "mutate.sh: the tree as it is fails: $found"; exit 1; }

survivors=0 mutants=0
while IFS='|' read -r name file expression; do
  case "$name" in ''|'#'*) continue ;; esac
  if [ $# -gt 0 ] && [[ ! " $* " == *" $name "* ]]; then continue; fi
  mutants=$((mutants + 1))
  cp "$work/tree/$file" "$work/original"
  sed -E -z -i "$expression" "$work/tree/$file"
  if cmp -s "$work/original" "$work/tree/$file"; then
    echo "NOT APPLIED  $name: $file has no such text"
    survivors=$((survivors + 1))
  elif ! build; then
    echo "NOT BUILT    $name: a mutant must compile"
    survivors=$((survivors + 1))
  else
    found="$(failing | tr '\n' ' ')"
    if [ -n "$found" ]; then
      echo "noticed      $name: $found"
    else
      echo "SURVIVED     $name"
      survivors=$((survivors + 1))
    fi
  fi
  cp "$work/original" "$work/tree/$file"
done <tests/cuda/mutants.txt
echo "$mutants mutants, $survivors not noticed"
[ "$survivors" -eq 0 ] && [ "$mutants" -gt 0 ]
