#!/usr/bin/env bash
# Make a virtual environment with the pinned dependencies of pyproject.toml.
# Usage: setup_venv.sh FOLDER      PYTHON=… chooses the interpreter (3.11 to 3.13).
set -euo pipefail
folder=$1

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.13}; do
    if fits "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "error: Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python3" >&2
    exit 1
fi

echo "Setting up $folder with $("$python" --version); this takes some minutes the first time."
[ -x "$folder/bin/python" ] && fits "$folder/bin/python" || "$python" -m venv --clear "$folder"
# The pins straight from pyproject.toml: the library itself is used in place, not installed.
requirements=$folder/requirements.txt
"$folder/bin/python" - > "$requirements" << 'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for group in [project["dependencies"], *project["optional-dependencies"].values()]:
    print("\n".join(group))
PYTHON
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile -r "$requirements"
# Byte code by all cores, where pip would use one. A few packages have files that are no Python of
# this version, which nothing imports.
"$folder/bin/python" -m compileall -qq -j 0 "$folder/lib" || true
