#!/bin/sh
# sudo systemd/install.sh: makes a service of this checkout. The program goes into a virtual environment of its own,
# /opt/fer-edge/venv, and `fer-edge service install` does the rest. Run it again after `git pull` to upgrade in place.
set -eu
umask 022 # what root keeps to itself the service's user cannot run
checkout=$(cd "$(dirname "$0")/.." && pwd)
venv=/opt/fer-edge/venv
python=${PYTHON:-python3}
if [ "$(id -u)" != 0 ]; then
    echo "this changes the system and needs root: sudo $0" >&2
    exit 1
fi
# picamera2 is a Debian package, built for the system's Python and libcamera: there the environment looks through. Debian
# 12 built it for NumPy 1, beside which it gets no other.
options=""
numpy="numpy"
if command -v "$python" >/dev/null 2>&1 && major=$("$python" -c 'import picamera2, numpy; print(numpy.__version__[:2])' 2>/dev/null); then
    options=--system-site-packages
    [ "$major" != 1. ] || numpy="numpy<2"
fi
if [ ! -x "$venv/bin/pip" ]; then
    "$checkout/tools/make_venv.sh" "$python" "$venv" $options
fi
# Built from a copy, so that nothing of root's is left in the checkout.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$checkout" && cp -R fer_edge converter systemd setup.cfg pyproject.toml config.yaml README.md LICENSE "$copy")
echo "Installing fer-edge into $venv ..."
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --upgrade "$copy" "$numpy"
mkdir -p /usr/local/bin
ln -sf "$venv/bin/fer-edge" /usr/local/bin/fer-edge
cd / # not in the checkout, whose package would be found before the installed one
"$venv/bin/fer-edge" service install
