#!/bin/sh
# make_venv.sh PYTHON FOLDER [OPTION...]: a virtual environment of a Python that fer-edge runs on, or one line that says what to do.
set -eu
python=$1
folder=$2
shift 2
if ! command -v "$python" >/dev/null 2>&1; then
    "$(dirname "$0")/need.sh" python3 python3-venv
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.maxsize < 2**32)'; then
    echo "fer-edge needs a 64-bit Python 3.11 to 3.13, $python is $("$python" -VV); name another: make PYTHON=python3.11" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$(dirname "$0")/need.sh" python3-venv
fi
"$python" -m venv "$@" "$folder"
