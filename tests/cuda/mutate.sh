#!/usr/bin/env bash
# Breaks one thing in a kernel at a time, and expects the tests to notice: a mutant that they pass is a failure.
#   tests/cuda/mutate.sh [NAME...]     all mutants of mutants.txt, or those named
# It works on a copy of the tree below the build folder, whose tests are run once, to see that they pass, and then for
# each mutant until one notices. A mutant of what nvcc alone compiles shows in its PTX, and is left out where there is no
# nvcc.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${SHIFTADD_MUTANTS:-build/mutants}"
mkdir -p "$work/tree"
work="$(cd "$work" && pwd -P)"
root="$(pwd -P)"
find "$work/tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -m -C "$work/tree"  # newer than objects of a mutant
# Tests look for ../shared beside the tree.
export SHIFTADD_GOLDEN="${SHIFTADD_GOLDEN:-$root/../shared/golden}"
[ -d "$SHIFTADD_GOLDEN" ] || export SHIFTADD_GOLDEN="$root/tests/golden"

chosen=() cuda=OFF
while IFS= read -r line; do
  case "$line" in ''|'#'*) continue ;; esac
  name="${line%%|*}"
  if [ $# -gt 0 ] && [[ ! " $* " == *" $name "* ]]; then continue; fi
  if [[ "$line" == *"|cuda/simt/device.h|"* ]]; then
    command -v nvcc >/dev/null || { echo "$name: left out: there is no nvcc"; continue; }
    cuda=ON
  fi
  chosen+=("$line")
done <tests/cuda/mutants.txt
if [ ${#chosen[@]} -eq 0 ] || { [ $# -gt 0 ] && [ ${#chosen[@]} -ne $# ]; }; then
  echo "mutate.sh: not all of these are in mutants.txt: $*" >&2
  exit 2
fi

# Built as tests/run.sh builds it, and as far below its tree: ccache has what is the same.
export CCACHE_BASEDIR="$work/tree" CCACHE_NOHASHDIR=1
build="$work/tree/build/release"
(cd "$work/tree" && cmake --preset release -DSHIFTADD_CUDA=$cuda) >"$work/log"

# The tests that a mutant of a file is shown to.
programs_of() {
  if [ "$1" = cuda/simt/device.h ]; then echo cuda_ptx; else echo test_cuda_checked test_cuda; fi
}
build() { cmake --build "$build" --target "${1/cuda_ptx/test_cuda}" >>"$work/log" 2>&1; }
# Whether the program passes its tests of the kernels of mutants.txt, those of the file first, which are quick; its status.
# A mutant may hang, which is noticed, too, but said: on a machine that is busy a test may only take long. Status 124 then.
passes() {  # passes PROGRAM [FILE]
  if [ "$1" = cuda_ptx ]; then
    timeout 900 ctest --test-dir "$build" --no-tests=error -R '^cuda_ptx$' >>"$work/log" 2>&1
    return
  fi
  local seconds=600 attention='*attention*_test.cpp' products='*product_test.cpp,*finish_test.cpp,*elementwise_test.cpp' filter
  local filters=("--source-file=$attention,$products,*engine_*test.cpp")
  case "${2:-}" in
    '') seconds=1800 ;;  # of the tree as it is, which must pass on a busy machine
    cuda/attention_*.cu) filters=("--test-case=*$(basename "${2/attention_/}" .cu)_attention*" "${filters[@]}") ;;
    cuda/attention*) filters=("--source-file=$attention" "${filters[@]}") ;;
    *) filters=("--source-file=$products" "${filters[@]}") ;;
  esac
  for filter in "${filters[@]}"; do
    timeout $seconds "$build/bin/$1" --abort-after=1 "$filter" >>"$work/log" 2>&1 || return
  done
}
for program in test_cuda_checked test_cuda $([ $cuda = OFF ] || echo cuda_ptx); do
  build "$program" || { tail -n 30 "$work/log"; echo "mutate.sh: the tree as it is does not build"; exit 1; }
  passes "$program" || { tail -n 30 "$work/log"; echo "mutate.sh: the tree as it is fails in $program"; exit 1; }
done

# What becomes of a mutant: the program that notices it, or why none does.
try() {
  for program in $(programs_of "$1"); do
    build "$program" || { echo "NOT BUILT, and a mutant must compile"; return 1; }
    status=0
    passes "$program" "$1" || status=$?
    case $status in
      0) ;;
      124) echo "noticed by $program, which did not end"; return 0 ;;
      *) echo "noticed by $program"; return 0 ;;
    esac
  done
  echo "SURVIVED"
  return 1
}
survivors=0
for line in "${chosen[@]}"; do
  IFS='|' read -r name file expression <<<"$line"
  cp "$work/tree/$file" "$work/original"
  sed -E -z -i "$expression" "$work/tree/$file"
  if cmp -s "$work/original" "$work/tree/$file"; then
    echo "$name: NOT APPLIED: $file has no such text"
    survivors=$((survivors + 1))
  else
    fate="$(try "$file")" || survivors=$((survivors + 1))
    echo "$name: $fate"
  fi
  cp "$work/original" "$work/tree/$file"
done
echo "${#chosen[@]} mutants, $survivors not noticed"
[ "$survivors" -eq 0 ]
