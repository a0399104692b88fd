#!/bin/sh
# Makes one virtual environment: venv.sh FOLDER REQUIREMENTS. Called by make, when the requirements have changed.
# Alone it needs a Python from 3.11 to 3.13; PYTHON=... says which, otherwise the one of pyproject.toml is taken, which
# goes to AWS, or the newest of them.
set -eu
folder=$1
requirements=$2

fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
pinned=$(sed -n '/^\[tool\.visits\]/,/^\[/ s/^python = "\(.*\)"/\1/p' "$(dirname "$0")/../pyproject.toml")
python=
for candidate in ${PYTHON:+"$PYTHON"} ${PYTHON:-"python$pinned" python3.13 python3.12 python3.11 python3}; do
    # Tried by running it: a version manager leaves commands about that exist and do not work.
    if "$candidate" -c "$fits" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${PYTHON:-python3}" -V 2>/dev/null) || found="not to be found"
    echo "This needs Python 3.11, 3.12 or 3.13, and ${PYTHON:-python3} is $found;" \
        "install one of them, or name it: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$("$python" -V) comes without virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi

echo "installing $requirements into $folder ($("$python" -V)), about a minute on first use ..."
"$python" -m venv --clear "$folder"
if ! "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-input -r "$requirements"; then
    echo "The packages of $requirements could not be installed; what pip says about it is above." >&2
    exit 1
fi
touch "$folder/.installed"
