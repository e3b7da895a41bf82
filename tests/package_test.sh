#!/usr/bin/env bash
# The packages that are shipped: built, held against their promise (the C library is all they need), installed in
# a Debian without a compiler, and used there. Without root, or where mounts are refused, only built and used here.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/debian_root.sh
fail() { echo "package test: $*" >&2; exit 1; }

rm -rf build/package/packages
cmake --workflow --preset package >/dev/null
work="$(mktemp -d)"
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir "$work/files" "$work/unpacked"
cp build/package/packages/*.deb build/package/packages/*.tar.gz tests/golden/models/vit_micro.pth "$work/files"
tar -xzf "$work"/files/*.tar.gz -C "$work/unpacked" --strip-components=1

for file in "$work"/unpacked/bin/* "$work"/unpacked/lib/libshiftadd.so; do
  needs="$(objdump -p "$file" | sed -n 's/^ *NEEDED *//p' | grep -vE '^(libc\.so|libm\.so|ld-linux)' || true)"
  [ -z "$needs" ] || fail "$file needs more than the C library: $needs"
done

# One image of each decoder: a BMP of 32x32 pixels whose values are a text's, a PNG and a JPEG of 8x8.
{ printf 'BM\x36\x0c\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\0\0\0\x20\0\0\0\x01\0\x18\0\0\0\0\0\0\x0c\0\0'
  printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
  head -c 3072 LICENSE; } >"$work/files/a.bmp"
base64 -d >"$work/files/b.png" <<'END'
iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAcUlEQVR42g2OQQ0AAAgCiWIUohiFKEQhilHEh3MMDgFgMAQXK8hwkMNV7oCzO9TYo8zdBCCH
S2I5YswLdTRQa/Wuhfa8yfpKhTQyldVJsCbiaYFiLdbkqKcRN0ggmRyjjRU6ZeEyQF9oX+ElNVZPhcMDOmxUAe44JQIAAAAASUVORK5CYII=
END
base64 -d >"$work/files/c.jpg" <<'END'
/9j/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI////////////////////////////////////////////////////wAALCAAIAAgBAREA/8QAFAABAAAA
AAAAAAAAAAAAAAAAAv/EABUQAQEAAAAAAAAAAAAAAAAAAAMA/9oACAEBAAA/ACB3/9k=
END

# classify BIN: the answers of the programs in that folder on the machine that runs this text.
classify='"$1/shiftadd-convert" vit_micro.pth --arch vit_micro --out model.safetensors >/dev/null 2>&1 &&
  "$1/shiftadd-infer" model.safetensors a.bmp b.png c.jpg --json'
answers() { (cd "$work/files" && bash -c "$classify" classify "$1"); }
answers "$PWD/build/release/bin" >"$work/expected"
[ -s "$work/expected" ] || fail "the build itself does not classify"
answers "$work/unpacked/bin" | cmp - "$work/expected" || fail "the .tar.gz answers otherwise than the build"
cmake -G Ninja -S examples/classify -B "$work/classify" -DCMAKE_PREFIX_PATH="$work/unpacked" >/dev/null
cmake --build "$work/classify" >/dev/null
for image in a.bmp b.png c.jpg; do
  (cd "$work/files" && ../classify/classify model.safetensors "$image") >/dev/null ||
    fail "the library of the .tar.gz does not classify $image"
done

refused="$(debian_root_refused)"
if [ -n "$refused" ]; then
  echo "package test: the packages work here; SKIPPED in a fresh Debian: $refused"
  exit 0
fi
make_debian_root "$work/root"
cp -r "$work/files" "$work/unpacked" "$work/root/opt"
in_debian_root "$work/root" bash -c '! command -v g++ && dpkg -i /opt/files/*.deb' >/dev/null
for bin in /usr/bin /opt/unpacked/bin; do
  in_debian_root "$work/root" bash -c "cd /opt/files && $classify" classify "$bin" | cmp - "$work/expected" ||
    fail "$bin answers otherwise in a fresh Debian than the build here"
done
in_debian_root "$work/root" shiftadd-train /usr/share/shiftadd/configs/quickstart.json --print-config >/dev/null
echo "package test: the .deb and the .tar.gz classify in a fresh Debian without a compiler"
