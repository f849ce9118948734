#!/bin/sh
# sudo systemd/install.sh: install this checkout as a service. Installs the program into /opt/fer-edge/venv and runs
# `fer-edge service install`. Run it again after `git pull` to upgrade.
set -eu
umask 022 # the service's user must be able to read the program
checkout=$(cd "$(dirname "$0")/.." && pwd)
venv=/opt/fer-edge/venv
python=${PYTHON:-python3}
if [ "$(id -u)" != 0 ]; then
    echo "root needed: sudo $0" >&2
    exit 1
fi
# picamera2 is a Debian package for the system's Python: use system site packages where it is installed. Debian 12 built it
# for NumPy 1, so NumPy must stay below 2 there.
options=""
numpy="numpy"
if command -v "$python" >/dev/null 2>&1 && major=$("$python" -c 'import picamera2, numpy; print(numpy.__version__[:2])' 2>/dev/null); then
    options=--system-site-packages
    [ "$major" != 1. ] || numpy="numpy<2"
fi
if [ ! -x "$venv/bin/pip" ]; then
    "$checkout/tools/make_venv.sh" "$python" "$venv" $options
fi
# Build from a copy, so that no files of root stay in the checkout.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd "$checkout" && cp -R fer_edge converter systemd setup.cfg pyproject.toml config.yaml README.md LICENSE "$copy")
echo "Installing fer-edge into $venv ..."
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --upgrade "$copy" "$numpy"
mkdir -p /usr/local/bin
ln -sf "$venv/bin/fer-edge" /usr/local/bin/fer-edge
cd / # leave the checkout, whose package would shadow the installed one
"$venv/bin/fer-edge" service install
