# Makes a minimal Debian 12 in a folder and runs commands in it; sourced by .ci/run and tests/package_test.sh.

# Prints why no such root can be made here; succeeds, silent, if one can.
debian_root_refused() {
  if [ "$(id -u)" -ne 0 ]; then echo "not root"
  elif ! command -v debootstrap >/dev/null; then echo "no debootstrap"
  elif [ -z "$(debian_sources)" ]; then echo "apt has no source of Debian 12"
  elif ! unshare --mount --pid --fork mount -t tmpfs none /mnt 2>/dev/null; then echo "mounts are refused"
  fi
}

# The Debian 12 sources that this machine's apt is configured with, as lines of a sources.list.
debian_sources() {
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E ' bookworm(-updates|-security)? main$' || true
}

# make_debian_root ROOT [PACKAGE]: debootstrap's smallest system and that package, with this machine's way to its mirror.
make_debian_root() {
  local root="$1" mirror
  mirror="$(debian_sources | sed -n 's/^deb \([^ ]*\) bookworm main$/\1/p' | sed -n 1p)"
  # What it mounts in the new system does not outlive it.
  unshare --mount debootstrap --variant=minbase ${2:+--include="$2"} bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; return 1; }
  debian_sources >"$root/etc/apt/sources.list"
  apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90acquire"
  local file
  for file in /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/ssl/certs /etc/hosts /etc/resolv.conf; do
    if [ -e "$file" ]; then mkdir -p "$root${file%/*}" && cp -aLT "$file" "$root$file"; fi
  done
}

# in_debian_root ROOT [--bind FOLDER]... COMMAND...: runs it with nothing of this machine's but the folders named,
# read-only where "ro:" stands before them, at the same paths. The mounts and all processes end with the command, and
# with the shell that called this, however that ends.
in_debian_root() {
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child bash -euc '
    root="$1"
    shift
    mount --bind "$root" "$root"  # a mount of its own, so that a root can be made inside it, too
    mount -t proc proc "$root/proc"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
    mount -t tmpfs tmpfs "$root/dev/shm"
    while [ "$1" = --bind ]; do
      folder="${2#ro:}"
      mkdir -p "$root$folder"
      mount --bind "$folder" "$root$folder"
      if [ "$folder" != "$2" ]; then mount -o remount,bind,ro "$root$folder"; fi
      shift 2
    done
    proxies=()
    for name in http_proxy https_proxy no_proxy; do
      if [ -n "${!name:-}" ]; then proxies+=("$name=${!name}"); fi
    done
    exec chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "${proxies[@]}" "$@"
  ' in_debian_root "$@"
}
