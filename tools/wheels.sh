#!/bin/sh
# wheels.sh PYTHON VERSION ARCH FOLDER: every wheel that fer-edge needs on a Debian with Python VERSION
# (3.11, 3.13) on ARCH (amd64, arm64), downloaded by PYTHON's pip into FOLDER. Nothing is built, so this also holds that
# they exist.
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
mkdir -p "$folder"
"$python" - "$version" >"$folder/wanted.txt" <<'PYTHON'
import configparser
import sys

settings = configparser.ConfigParser()
settings.read("setup.cfg")
print(settings["options"]["install_requires"].strip())
if sys.argv[1] == "3.11":  # Debian 12, whose picamera2 was built for NumPy 1
    print(settings["options.extras_require"]["bookworm"].strip())
print("pip", "setuptools >=77", "wheel", sep="\n")  # what installing them without a network takes
PYTHON
cmp -s "$folder/wanted.txt" "$folder/complete.txt" && exit 0
rm -f "$folder/complete.txt" # first: whatever interrupts the rest, what is left is not taken for complete
find "$folder" -name '*.whl' -delete
abi=cp$(echo "$version" | tr -d .)
platforms=""
for glibc in 2_17 2_26 2_27 2_28 2_31 2_34; do platforms="$platforms --platform manylinux_${glibc}_$machine"; done
# shellcheck disable=SC2086  # the list is meant to be split
"$python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version "$version" \
    --implementation cp --abi "$abi" --abi abi3 --abi none --platform "manylinux2014_$machine" $platforms \
    --dest "$folder" --requirement "$folder/wanted.txt" 2>"$folder/pip.log" || {
    tail -n 3 "$folder/pip.log" >&2
    exit 1
}
mv "$folder/wanted.txt" "$folder/complete.txt"
