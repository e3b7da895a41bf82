#!/usr/bin/env bash
# Everything that a machine with an NVIDIA GPU can show, in one command and one report, in under nine minutes:
#   bash tests/cuda/run_on_gpu.sh [--out DIR] [--prebuilt DIR] [--executor=host]
#   bash tests/cuda/run_on_gpu.sh --bundle DIR [--executor=host]
# Builds what it needs, or takes what --bundle made on another machine, which needs the C library and a driver alone: no
# compiler, no package and no network. Runs the kernels' and then the engine's tests on the GPU (no GPU is a failure,
# never a skip), compute-sanitizer over some of them where there is one, PyTorch if python3 has it, and the benchmarks.
# Writes DIR/report.md and DIR/report.json (out/gpu), whatever fails; status 1 if anything did. --executor=host does all
# of it without a GPU, and the times say nothing: a test of this script.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=out/gpu prebuilt="" bundle="" executor=cuda
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out="${2:?a folder}"; shift 2 ;;
    --prebuilt) prebuilt="${2:?a folder}"; shift 2 ;;
    --bundle) bundle="${2:?a folder}"; shift 2 ;;
    --executor=host | --executor=cuda) executor="${1#*=}"; shift ;;
    *) echo "usage: run_on_gpu.sh [--out DIR] [--prebuilt DIR | --bundle DIR] [--executor=host|cuda]" >&2; exit 2 ;;
  esac
done
say() { echo "== run_on_gpu.sh: $* ($(date +%H:%M:%S))"; }

golden="${SHIFTADD_GOLDEN:-$([ -d ../shared/golden ] && echo ../shared/golden || echo tests/golden)}"
targets=(test_cuda shiftadd-bench shiftadd-infer test_plugin_host)
configured=()
if [ "$executor" = cuda ]; then targets+=(shiftadd_cuda_plugin) configured=(-DSHIFTADD_CUDA=ON); fi
build() {  # build PRESET LOG
  { cmake --preset "$1" "${configured[@]}" && cmake --build "build/$1" -j "$(nproc)" --target "${targets[@]}"; } >"$2" 2>&1 ||
    { tail -n 20 "$2"; exit 1; }
}

if [ -n "$bundle" ]; then
  mkdir -p "$bundle"/{bin,lib,plugins,golden}
  say "building for other machines"
  build gpu "$bundle/build.log"
  cp build/gpu/bin/{test_cuda,shiftadd-bench,shiftadd-infer} "$bundle/bin"
  cp build/gpu/plugins/*.so "$bundle/plugins"
  if [ "$executor" = cuda ]; then cp build/gpu/lib/libshiftadd_cuda.so "$bundle/lib"; fi
  cp -RL "$golden/models" "$bundle/golden"
  find "$bundle"/{bin,lib,plugins} -type f -exec strip {} +
  git describe --always --dirty --abbrev=12 >"$bundle/commit" 2>/dev/null || echo unknown >"$bundle/commit"
  rm "$bundle/build.log"
  size="$(du -sm --apparent-size "$bundle" | cut -f1)"
  say "$bundle: $size MiB; there: bash tests/cuda/run_on_gpu.sh --prebuilt $bundle"
  [ "$size" -lt 64 ] || { echo "run_on_gpu.sh: $bundle is to stay below 64 MiB" >&2; exit 1; }
  exit 0
fi

began="$(date +%s)"
mkdir -p "$out"
rm -f "$out"/*.txt "$out"/*.json "$out"/*.md "$out"/*.log
files="${prebuilt:-build/release}"
if [ -n "$prebuilt" ]; then
  [ -x "$files/bin/test_cuda" ] || { echo "run_on_gpu.sh: $files has no bin/test_cuda: expected what --bundle makes" >&2; exit 2; }
  golden="$files/golden" commit="$(cat "$files/commit")"
else
  commit="$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
  say "building"
  build release "$out/build.log"
fi
SHIFTADD_GOLDEN="$(cd "$golden" && pwd)"
export SHIFTADD_GOLDEN SHIFTADD_EXECUTOR="$executor"
arguments=(--times 50)
if [ "$executor" = host ]; then
  export SHIFTADD_CUDA_PLUGIN="$files/plugins/host.so"
  arguments=(--times 1 --batch 1 --model vit_micro)
fi
# Where cuBLASLt may be, and NVIDIA's packages for Python bring it.
libraries="/usr/local/cuda/lib64:${LD_LIBRARY_PATH:-}"
if command -v nvcc >/dev/null; then libraries="$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")/lib64:$libraries"; fi
if command -v python3 >/dev/null; then
  libraries="$libraries:$(python3 -c 'import glob, sys; print(":".join(f for p in sys.path for f in glob.glob(p + "/nvidia/*/lib")))' || true)"
fi

failures=()
fail() { failures+=("$1"); say "FAILED: $1"; }
# within SECONDS COMMAND...: of a GPU; the host executor is slower.
within() {
  local seconds="$1"
  shift
  timeout --kill-after=12 "$([ "$executor" = host ] && echo $((seconds * 20)) || echo "$seconds")" "$@"
}

# Which tests failed, in the order in which they ran: the first is the one to look at, for a device that is lost fails
# all that follow.
failed_tests() {
  awk '/^TEST CASE:/ { name = substr($0, 13) } /ERROR:/ && !(name in seen) { seen[name]; print "    * " name }' "$1"
}
tested=""
run_tests() {  # run_tests NAME SECONDS FILTERS...
  local name="$1" seconds="$2" log="$out/tests-$1.txt" status=0
  shift 2
  say "tests: $name"
  within "$seconds" "$files/bin/test_cuda" "$@" >"$log" 2>&1 || status=$?
  local line
  line="$(grep 'test cases:' "$log" | sed 's/.*test cases: *//' || true)"
  tested+="* tests of $name: ${line:-did not end}"$'\n'
  if [ "${line%% *}" = 0 ]; then fail "tests of $name: none has these names"; fi
  if [ "$status" -ne 0 ]; then
    tested+="$(failed_tests "$log")"$'\n'
    fail "tests of $name: status $status$([ "$status" -ne 124 ] || echo ", cut off"), see $log"
  fi
}
kernels='*/product_test.cpp,*/finish_test.cpp,*/elementwise_test.cpp,*/attention*_test.cpp,*/dense_product_test.cpp'
networks='*/engine*_test.cpp'
run_tests kernels 80 --source-file="$kernels"
run_tests networks 60 --source-file="$networks"
run_tests rest 40 --source-file-exclude="$kernels,$networks"

sanitized=""
if [ "$executor" = cuda ] && command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    say "compute-sanitizer $tool"
    status=0
    within 18 compute-sanitizer --tool "$tool" --error-exitcode 9 "$files/bin/test_cuda" \
      --test-case='*integer products of odd widths*,*projection with residual*,*MLP in one kernel*,*int8_attention*' \
      >"$out/$tool.txt" 2>&1 || status=$?
    if grep -q 'test cases: *0 ' "$out/$tool.txt"; then fail "compute-sanitizer $tool: no test has these names"; fi
    case "$status" in
      0) sanitized+="$tool: no errors; " ;;
      124 | 137) sanitized+="$tool: no errors in the 18 s it had; " ;;
      *) sanitized+="$tool: ERRORS; "; fail "compute-sanitizer $tool: status $status, see $out/$tool.txt" ;;
    esac
    if [ "$status" -ge 124 ] && grep -qE '^========= (Invalid|Error|Race|Uninit|Barrier)' "$out/$tool.txt"; then
      fail "compute-sanitizer $tool found errors: see $out/$tool.txt"
    fi
  done
fi

peer="PyTorch: not on this machine"
if [ "$executor" = cuda ] && command -v python3 >/dev/null && python3 -c 'import torch' 2>/dev/null; then
  say "PyTorch"
  status=0
  within 100 python3 tests/cuda/torch_peer.py "$out/torch.json" --seconds 75 >"$out/torch.log" 2>&1 || status=$?
  peer="$(tail -n 1 "$out/torch.log")"
  if [ "$status" -ne 0 ]; then peer="PyTorch: ended with status $status, see $out/torch.log"; fi
  if [ -s "$out/torch.json" ]; then arguments+=(--peer "$out/torch.json"); fi
fi

say "benchmarks"
status=0
LD_LIBRARY_PATH="$libraries" within 170 "$files/bin/shiftadd-bench" gpu "${arguments[@]}" --save "$out/bench.json" \
  >"$out/bench.md" 2>"$out/bench.log" || status=$?
[ "$status" -eq 0 ] || fail "shiftadd-bench gpu: status $status: $(tail -n 1 "$out/bench.log")"

json_text() { printf '"%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '  ')"; }
{
  echo "# ShiftAdd on a GPU"
  echo
  if [ "$executor" = host ]; then
    echo "**On the host executor: no GPU was there, and the times say nothing.**"
    echo
  fi
  if [ ${#failures[@]} -eq 0 ]; then
    echo "Passed."
  else
    echo "**FAILED:**"
    printf '* %s\n' "${failures[@]}"
  fi
  echo
  echo "Commit $commit, $(date -u +%Y-%m-%d), $(($(date +%s) - began)) s."
  if command -v nvidia-smi >/dev/null; then
    echo
    nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,power.limit --format=csv,noheader || true
  fi
  echo
  printf %s "$tested"
  echo "* compute-sanitizer: ${sanitized:-not on this machine}"
  echo "* $peer"
  echo
  cat "$out/bench.md"
} >"$out/report.md"
{
  printf '{"executor": "%s", "passed": %s, "failures": [' "$executor" "$([ ${#failures[@]} -eq 0 ] && echo true || echo false)"
  for i in "${!failures[@]}"; do
    [ "$i" -eq 0 ] || printf ', '
    json_text "${failures[$i]}"
  done
  printf '], "tests": %s, ' "$(json_text "$tested")"
  printf '"sanitizer": %s, "peer": %s, ' "$(json_text "${sanitized:-not on this machine}")" "$(json_text "$peer")"
  if [ -s "$out/bench.json" ]; then printf '"bench": %s}\n' "$(cat "$out/bench.json")"; else printf '"bench": null}\n'; fi
} >"$out/report.json"
if [ ${#failures[@]} -gt 0 ]; then
  say "FAILED, see $out/report.md"
  exit 1
fi
say "passed: $out/report.md, $out/report.json"
