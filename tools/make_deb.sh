#!/bin/sh
# make_deb.sh PYTHON SUITE ARCH FOLDER: fer-edge as a Debian package for SUITE (bookworm, trixie) on ARCH (amd64, arm64).
# It brings all that it needs but Python itself, as wheels unpacked into a virtual environment, /usr/lib/fer-edge. Nothing is
# compiled and nothing of the target runs here, so each machine builds for each. PYTHON has pip; needs dpkg-deb.
set -eu
python=$1
suite=$2
arch=$3
cd "$(dirname "$0")/.."
out=$4
case $suite in
    bookworm) release=12 minor=11 ;;
    trixie) release=13 minor=13 ;;
    *) echo "make_deb.sh: SUITE is bookworm or trixie, not $suite" >&2; exit 2 ;;
esac
wheels=$PWD/.machines/wheels-3.$minor-$arch
tools/wheels.sh "$python" "3.$minor" "$arch" "$wheels"
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' fer_edge/__init__.py)+deb$release
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$out/.work.XXXXXX") # half a gigabyte: not into /tmp, which is often in memory
trap 'rm -rf "$work"' EXIT
root=$work/root
home=$root/usr/lib/fer-edge
site=$home/lib/python3.$minor/site-packages
mkdir -p "$site" "$home/bin" "$root/DEBIAN"

tools/project_wheel.sh "$python" "$work"
find "$wheels" -name '*.whl' ! -name 'setuptools-*' ! -name 'pip-*' ! -name 'wheel-*' -exec "$python" -m zipfile -e {} "$site" \;
"$python" -m zipfile -e "$work"/fer_edge-*.whl "$site"
cp -R "$site"/*.data/purelib/. "$site"/*.data/platlib/. "$site" 2>/dev/null || true
rm -rf "$site"/*.data "$site/converter"

# A virtual environment as venv makes it, for the Python of the system that it is for. Of that system's own packages it
# sees picamera2, which cannot come as a wheel; where both have one, its own come first.
printf 'home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.%s\n' "$minor" >"$home/pyvenv.cfg"
ln -s "../../../bin/python3.$minor" "$home/bin/python3"
cat >"$home/bin/fer-edge" <<'SCRIPT'
#!/usr/lib/fer-edge/bin/python3
import sys

from fer_edge.__main__ import main

sys.exit(main())
SCRIPT

install -d "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d" \
    "$root/etc/fer-edge" "$root/usr/share/doc/fer-edge" "$root/usr/share/man/man1" "$root/usr/share/lintian/overrides"
ln -s ../lib/fer-edge/bin/fer-edge "$root/usr/bin/fer-edge"
sed 's,^ExecStart=[^ ]*,ExecStart=/usr/bin/fer-edge,' systemd/fer-edge.service >"$root/usr/lib/systemd/system/fer-edge.service"
cp systemd/sysusers.conf "$root/usr/lib/sysusers.d/fer-edge.conf"
cp systemd/tmpfiles.conf "$root/usr/lib/tmpfiles.d/fer-edge.conf"
cp config.yaml "$root/etc/fer-edge/config.yaml"
cp packaging/copyright "$root/usr/share/doc/fer-edge/copyright"
cp packaging/lintian-overrides "$root/usr/share/lintian/overrides/fer-edge"
gzip -9n <packaging/fer-edge.1 >"$root/usr/share/man/man1/fer-edge.1.gz"
sed "s/@VERSION@/$version/;s/@SUITE@/$suite/" packaging/changelog | gzip -9n >"$root/usr/share/doc/fer-edge/changelog.gz"

chmod -R u=rwX,go=rX "$root"
find "$home" -type f -exec chmod 644 {} +
chmod 755 "$home/bin/fer-edge"
install -m 755 packaging/postinst packaging/prerm packaging/postrm "$root/DEBIAN"
echo /etc/fer-edge/config.yaml >"$root/DEBIAN/conffiles"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f ! -path './etc/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
    >"$work/md5sums"
mv "$work/md5sums" "$root/DEBIAN/md5sums"
sed "s/@VERSION@/$version/;s/@ARCH@/$arch/;s/@MINOR@/$minor/;s/@NEXT@/$((minor + 1))/;s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" \
    packaging/control >"$root/DEBIAN/control"
chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/md5sums" "$root/DEBIAN/conffiles"
# The tests have no use for a minute of compressing.
dpkg-deb --root-owner-group -Z"${FER_EDGE_DEB_COMPRESSION:-xz}" --build "$root" "$out" >/dev/null
echo "$out/fer-edge_${version}_$arch.deb"
