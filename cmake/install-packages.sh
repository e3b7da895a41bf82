#!/usr/bin/env bash
# Installs the Debian packages named as arguments that are missing; says which. Root or sudo is needed
# only when something is missing. With --missing first, it only prints what it would install.
set -euo pipefail
print_only=""
if [ "${1:-}" = --missing ]; then
  print_only=yes
  shift
fi
missing=()
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ -n "$print_only" ]; then
  echo "${missing[*]}"
  exit 0
fi
echo "Installing Debian packages: ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Run this as root, or install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
