#!/usr/bin/env bash
# Runs every libFuzzer target on mutated inputs: bash tests/fuzz/run.sh [RUNS [TARGET...]], 100000 runs of each
# target by default. Builds the preset `fuzz` (clang) first; fails on any crash, leak or sanitizer report.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs="${1:-100000}"
shift || true
command -v clang++ >/dev/null || bash cmake/install-packages.sh clang
build="${SHIFTADD_FUZZ_BUILD:-build/fuzz}"
cmake --preset fuzz -B "$build" >/dev/null
if [ $# -gt 0 ]; then targets=("$@"); else
  targets=()
  for file in tests/fuzz/*_fuzz.cpp; do targets+=("$(basename "$file" _fuzz.cpp)"); done
fi
cmake --build "$build" --target "${targets[@]/#/fuzz_}"

# Seeds: small valid and odd files, by reader.
seeds() {
  local shared=../shared
  case "$1" in
    safetensors) find tests/golden "$shared/data/checkpoints" -name '*.safetensors' -size -8k 2>/dev/null ;;
    pth) find tests/golden "$shared/data/checkpoints" \( -name '*.pth' -o -name '*.pt' \) -size -400k 2>/dev/null ;;
    config) find configs -name '*.json' ;;
    image) find "$shared/data/images-odd" "$shared/data/cifar10/sample" -type f -size -8k 2>/dev/null ;;
  esac || true
}

for target in "${targets[@]}"; do
  corpus="$build/corpus/$target"
  mkdir -p "$corpus"
  while read -r file; do cp "$file" "$corpus/seed-$(echo "$file" | tr '/.' '--')"; done < <(seeds "$target")
  if [ -z "$(ls -A "$corpus")" ]; then printf 'seed' > "$corpus/seed"; fi
  echo "== $target: $runs runs, $(ls "$corpus" | wc -l) inputs to start from"
  # The limits catch allocations that no input justifies.
  log="$build/corpus/$target.log"
  if ! "$build/bin/fuzz_$target" -runs="$runs" -max_len=16384 -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=20 \
      -print_final_stats=1 -artifact_prefix="$build/corpus/$target-" "$corpus" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "== $target FAILED: the input is kept as $build/corpus/$target-*, the whole output in $log" >&2
    exit 1
  fi
  grep -E '^Done|number_of_executed|peak_rss' "$log"
done
echo "== no reports"
