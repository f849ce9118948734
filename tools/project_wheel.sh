#!/bin/sh
# project_wheel.sh PYTHON FOLDER: the program's own wheel, from a copy so that nothing is left in the checkout.
set -eu
python=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R fer_edge converter systemd setup.cfg pyproject.toml config.yaml README.md LICENSE "$copy"
"$python" -m pip wheel --quiet --disable-pip-version-check --no-input --no-deps --wheel-dir "$folder" "$copy"
