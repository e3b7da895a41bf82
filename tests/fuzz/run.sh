#!/usr/bin/env bash
# Runs libFuzzer targets on mutated inputs: bash tests/fuzz/run.sh [--seconds N] [TARGET...], ten minutes of each
# target by default. Builds the preset `fuzz` (clang) first; fails on any crash, leak or sanitizer report.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=600
if [ "${1:-}" = --seconds ]; then
  seconds="$2"
  shift 2
fi
bash cmake/install-packages.sh $(cat cmake/build-packages.txt cmake/test-packages.txt)
build="${SHIFTADD_FUZZ_BUILD:-build/fuzz}"
cmake --preset fuzz -B "$build" >/dev/null
if [ $# -gt 0 ]; then targets=("$@"); else
  targets=()
  for file in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$file" _fuzz.cpp)"); done
fi
cmake --build "$build" --target fuzz_seeds "${targets[@]/#/fuzz_}"
"$build/bin/fuzz_seeds" "$build/seeds"

# Seeds, by reader: the small valid files just made, and odd ones.
seeds() {
  local data=../shared/data
  find "$build/seeds/$1" -type f 2>/dev/null || true
  case "$1" in
    safetensors) find tests/golden "$data/checkpoints" "$data/faults" -name '*.safetensors' -size -8k ;;
    pth) find tests/golden "$data/checkpoints" "$data/faults" \( -name '*.pth' -o -name '*.pt' -o -name '*.ckpt' \) -size -16k ;;
    config) find configs -name '*.json' ;;
    image) find "$data/images-odd" "$data/faults" "$data/cifar10/sample" -type f -size -8k ;;
    tar) find "$data/faults" -name '*.tar' -size -64k ;;
  esac 2>/dev/null || true
}

for target in "${targets[@]}"; do
  corpus="$build/corpus/$target"
  mkdir -p "$corpus"
  while read -r file; do cp -f "$file" "$corpus/seed-$(echo "$file" | tr '/.' '--')"; done < <(seeds "$target")
  if [ -z "$(ls -A "$corpus")" ]; then printf 'seed' > "$corpus/seed"; fi
  echo "== $target: $seconds seconds, $(ls "$corpus" | wc -l) inputs to start from"
  # The limits catch allocations that no input justifies. A tar is made of blocks of 512 bytes.
  most=16384
  if [ "$target" = tar ]; then most=65536; fi
  log="$build/corpus/$target.log"
  if ! "$build/bin/fuzz_$target" -max_total_time="$seconds" -max_len="$most" -rss_limit_mb=2048 -malloc_limit_mb=512 \
      -timeout=20 -print_final_stats=1 -artifact_prefix="$build/corpus/$target-" "$corpus" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "== $target FAILED: the input is kept as $build/corpus/$target-*, the whole output in $log" >&2
    exit 1
  fi
  grep -E '^Done|number_of_executed|exec_per_sec|peak_rss' "$log"
done
echo "== no reports"
