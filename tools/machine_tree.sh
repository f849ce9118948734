#!/bin/sh
# machine_tree.sh SUITE ARCH FOLDER [PACKAGE,PACKAGE...]: a Debian system as a folder, made once by debootstrap, for tests
# that boot it. Needs root. What stands already is left as it is; what was interrupted is begun anew.
set -eu
suite=$1
arch=$2
folder=$3
packages=${4:-}
[ ! -e "$folder/.complete" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "making a Debian system needs root: run the tests as root, or by sudo" >&2; exit 1; }
"$(dirname "$0")/need.sh" debootstrap
"$(dirname "$0")/foreign_programs.sh" "$arch"
mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p;s/^deb \(\[.*\] \)\?\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -m1 '/debian/\?$' || echo http://deb.debian.org/debian)
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
log=$folder.log
echo "Making a Debian $suite ($arch) in $folder, once: two to five minutes ..."
if ! debootstrap --variant=minbase --arch="$arch" --include="$packages" "$suite" "$folder" "$mirror" >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "debootstrap could not make $folder: see $log" >&2
    exit 1
fi
rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/* "$log"
touch "$folder/.complete"
