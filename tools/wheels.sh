#!/bin/sh
# wheels.sh PYTHON VERSION ARCH FOLDER: every wheel that fer-edge needs on a Debian with Python VERSION (3.11, 3.13) on
# ARCH (amd64, arm64), downloaded by PYTHON's pip into FOLDER; nothing is built, so this also holds that wheels exist.
set -eu
python=$1
version=$2
folder=$4
case $3 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "wheels.sh: ARCH is amd64 or arm64, not $3" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."
stamp=$folder/.complete
if [ -e "$stamp" ] && [ "$stamp" -nt setup.cfg ] && [ "$stamp" -nt pyproject.toml ]; then exit 0; fi
rm -rf "$folder"
mkdir -p "$folder"
"$python" - >"$folder/requirements.txt" <<'PYTHON'
import configparser

settings = configparser.ConfigParser()
settings.read("setup.cfg")
print(settings["options"]["install_requires"].strip())
print("setuptools >=77")
PYTHON
abi=cp$(echo "$version" | tr -d .)
platforms=""
for glibc in 2_17 2_26 2_27 2_28 2_31 2_34; do platforms="$platforms --platform manylinux_${glibc}_$machine"; done
# shellcheck disable=SC2086  # the list is meant to be split
"$python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version "$version" \
    --implementation cp --abi "$abi" --abi abi3 --abi none --platform "manylinux2014_$machine" $platforms \
    --dest "$folder" --requirement "$folder/requirements.txt" 2>"$folder/pip.log" || {
    tail -n 3 "$folder/pip.log" >&2
    exit 1
}
touch "$stamp"
