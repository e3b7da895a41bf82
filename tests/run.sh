#!/usr/bin/env bash
# Everything a change must pass: builds, runs all tests, decodes under valgrind, expects the tests to notice three broken
# GPU kernels, installs the packages elsewhere, then the unit tests again under the address and undefined-behaviour
# sanitizers, pool and loader under the thread sanitizer, and each fuzz target for 20 seconds. Where nvcc is on the PATH,
# the CUDA plug-in is built and what its kernels take is held against their budget; elsewhere this says that they are left
# out. Installs missing Debian packages first.
set -euo pipefail
cd "$(dirname "$0")/.."
bash cmake/install-packages.sh $(cat cmake/build-packages.txt cmake/test-packages.txt)
say() { echo "== $* ($(date +%H:%M:%S))"; }

# The mutants' build finds in ccache what is compiled here: objects do not depend on where the tree lies.
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
if command -v nvcc >/dev/null; then
  plugin=ON
else
  plugin=OFF
  left_out="LEFT OUT, because no nvcc is on the PATH: the CUDA plug-in and the budget of its kernels"
fi

say "build"
cmake --preset release -DSHIFTADD_CUDA=$plugin >/dev/null
cmake --build --preset release
if [ $plugin = ON ]; then
  say "what the GPU kernels take, against their budget"
  cmake --build --preset release --target cuda_budget
else
  say "$left_out"
fi
say "tests"
ctest --test-dir build/release --output-on-failure --no-tests=error
say "decode tests under valgrind"
valgrind --quiet --error-exitcode=1 build/release/bin/test_data --source-file='*decode*'
say "mutants of GPU kernels"
bash tests/cuda/mutate.sh weight_lane float_barrier copy_wait
say "packages"
bash tests/package_test.sh

say "unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"
units="core model data autograd layers infer train ops report cuda"
cmake --preset asan -DSHIFTADD_SANITIZE=address,undefined >/dev/null
cmake --build --preset asan --target $(printf 'test_%s ' $units)
ctest --test-dir build/asan --output-on-failure --no-tests=error -R "^($(echo $units | tr ' ' '|'))\$"

say "thread pool and loader under ThreadSanitizer"
cmake --preset tsan >/dev/null
cmake --build --preset tsan --target test_core test_data
build/tsan/bin/test_core --source-file='*parallel_test*'
build/tsan/bin/test_data --source-file='*loader_test*,*batch_ring_test*,*image_stream_test*'

say "fuzz targets"
bash tests/fuzz/run.sh --seconds 20
say "done${left_out:+; $left_out}"
