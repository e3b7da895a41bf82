#!/usr/bin/env bash
# Fills a folder with links to the commands that a minimal Debian has (essential packages, apt, git) and to those of
# the packages named and of all that these depend on, and no others: bash tests/only_packages.sh FOLDER PACKAGE...
# With that folder as PATH, a command that no package list names is not found.
set -euo pipefail
folder="$1"
shift

# Name, essential or not, what it provides and what it depends on, of every package that is installed.
packages="$(dpkg-query -W -f '${Package}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n' |
  awk -F'\t' -v named="apt git $*" '
    function want(package) { if (!(package in wanted)) { wanted[package] = 1; queue[++last] = package } }
    {
      names[$1] = 1
      depends[$1] = $4
      if ($2 == "yes") want($1)
      count = split($3, provided, /, */)
      for (i = 1; i <= count; ++i) { sub(/[ (:].*/, "", provided[i]); providers[provided[i]] = providers[provided[i]] " " $1 }
    }
    END {
      count = split(named, start, / +/)
      for (i = 1; i <= count; ++i) want(start[i])
      while (first < last) {
        package = queue[++first]
        if (!(package in names)) {  # a name that others provide
          count = split(providers[package], all, / +/)
          for (i = 1; i <= count; ++i) if (all[i] != "") want(all[i])
        }
        count = split(depends[package], all, /[,|] */)
        for (i = 1; i <= count; ++i) { sub(/^ */, "", all[i]); sub(/[ (:].*/, "", all[i]); if (all[i] != "") want(all[i]) }
      }
      for (package in wanted) if (package in names) print package
    }')"

# Files by what they are behind all links: /bin may be one to /usr/bin, and c++ one to another package's file.
real_paths() { xargs -r readlink -m --; }
dpkg -L $packages | grep -E '^(/usr)?/s?bin/|^/usr/lib/.*/bin/|^/usr/lib/git-core/' | real_paths | sort -u >"$folder/.files"
printf '%s\n' /usr/bin/* /usr/sbin/* >"$folder/.commands"
real_paths <"$folder/.commands" | paste - "$folder/.commands" |
  awk -F'\t' 'NR == FNR { ours[$1]; next } $1 in ours { print $2 }' "$folder/.files" - |
  xargs -r ln -sft "$folder" --
rm "$folder/.files" "$folder/.commands"
