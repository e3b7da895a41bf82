#!/usr/bin/env bash
# Everything that a machine with an NVIDIA GPU can show, in one command and one report:
#   bash tests/cuda/run_on_gpu.sh [--out DIR] [--prebuilt DIR] [--executor=host]
# Builds what it needs, or takes bin/ and lib/ of --prebuilt; runs the kernels' and the engine's tests on the GPU (no GPU
# is a failure), compute-sanitizer over some of them where there is one, and the benchmarks, with PyTorch beside them if
# python3 has it. Writes DIR/report.md and DIR/report.json (out/gpu). --executor=host does all of it on the host executor,
# whose times say nothing: a test of this script.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=out/gpu prebuilt="" executor=cuda
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out="$2"; shift 2 ;;
    --prebuilt) prebuilt="$2"; shift 2 ;;
    --executor=host | --executor=cuda) executor="${1#*=}"; shift ;;
    *) echo "usage: run_on_gpu.sh [--out DIR] [--prebuilt DIR] [--executor=host|cuda]" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
say() { echo "== run_on_gpu.sh: $* ($(date +%H:%M:%S))"; }

build="${prebuilt:-build/release}"
if [ -z "$prebuilt" ]; then
  say "building"
  if [ "$executor" = cuda ]; then
    cmake --preset release -DSHIFTADD_CUDA=ON >"$out/build.log"
    targets="test_cuda shiftadd-bench shiftadd_cuda_plugin"
  else
    [ -f build/release/CMakeCache.txt ] || cmake --preset release >"$out/build.log"
    targets="test_cuda shiftadd-bench test_plugin_host"
  fi
  # shellcheck disable=SC2086
  cmake --build build/release -j "$(nproc)" --target $targets >>"$out/build.log" 2>&1 ||
    { tail -n 20 "$out/build.log"; exit 1; }
fi
export SHIFTADD_EXECUTOR="$executor"
arguments=(--times 50)
if [ "$executor" = host ]; then
  export SHIFTADD_CUDA_PLUGIN="$build/plugins/host.so"
  arguments=(--times 1 --batch 1 --model vit_micro)
fi

say "tests"
"$build/bin/test_cuda" | tee "$out/tests.txt" | tail -n 4
if command -v compute-sanitizer >/dev/null && [ "$executor" = cuda ]; then
  say "compute-sanitizer"
  for tool in memcheck racecheck; do
    timeout 90 compute-sanitizer --tool "$tool" --error-exitcode 1 "$build/bin/test_cuda" \
      --test-case="*at odd sizes*,*in one kernel*" >"$out/$tool.txt" 2>&1 ||
      { tail -n 20 "$out/$tool.txt"; echo "compute-sanitizer $tool: see $out/$tool.txt"; exit 1; }
  done
  sanitizer="memcheck and racecheck: no errors"
else
  sanitizer="not run: none on this machine"
fi

say "benchmarks"
"$build/bin/shiftadd-bench" gpu "${arguments[@]}" --json >"$out/bench.json"
"$build/bin/shiftadd-bench" gpu "${arguments[@]}" >"$out/bench.md"
echo null >"$out/torch.json"
torch="PyTorch: not on this machine"
if [ "$executor" = cuda ] && command -v python3 >/dev/null && python3 -c 'import torch' 2>/dev/null; then
  say "PyTorch"
  if timeout 150 python3 tests/cuda/torch_peer.py "$out/torch.json" >"$out/torch.md" 2>"$out/torch.log"; then
    torch="$(cat "$out/torch.md")"
  else
    torch="PyTorch: failed, see torch.log"
  fi
fi

{
  echo "# ShiftAdd on a GPU"
  echo
  if [ "$executor" = host ]; then
    echo "**On the host executor: no GPU was there, and the times say nothing.**"
    echo
  fi
  echo "Commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%d)."
  command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader
  echo
  echo "* tests: $(grep 'test cases:' "$out/tests.txt" | sed 's/.*test cases: */test cases: /')"
  echo "* compute-sanitizer: $sanitizer"
  echo
  cat "$out/bench.md"
  echo
  echo "$torch"
} >"$out/report.md"
printf '{"executor": "%s", "bench": %s, "torch": %s}\n' "$executor" "$(cat "$out/bench.json")" "$(cat "$out/torch.json")" >"$out/report.json"
say "passed: $out/report.md, $out/report.json"
