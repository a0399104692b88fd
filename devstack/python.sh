#!/bin/sh
# Prints a Python to make environments with: the pinned one of pyproject.toml (the one that goes to AWS), else the newest
# from 3.11 to 3.14. `python.sh 3.12` prints that version or fails; PYTHON=... names one. Version managers' folders are
# searched too, whether or not their commands are on the PATH.
set -eu

supported="3.14 3.13 3.12 3.11"
project=$(dirname "$0")/..

# Every candidate is tried by running it: a version manager leaves commands about that exist and do not work.
is() {
    "$1" -c "import ssl, sys, zlib; sys.exit('%d.%d' % sys.version_info[:2] not in '$2'.split())" 2>/dev/null
}

# The candidates of one version, the newest patch of a version manager first, one a line.
candidates() {
    echo "python$1"
    for folder in \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1" \
        "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}/cpython-$1" \
        "${ASDF_DATA_DIR:-$HOME/.asdf}/installs/python/$1" \
        "${MISE_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/mise}/installs/python/$1" \
        "/opt/homebrew/opt/python@$1" "/usr/local/opt/python@$1" "/Library/Frameworks/Python.framework/Versions/$1"; do
        for bin in "$folder"/bin "$folder".*/bin "$folder"-*/bin; do
            [ ! -x "$bin/python$1" ] || echo "$bin/python$1"
        done | sort -t . -k 3,3nr -k 4,4nr
    done
}

find_version() {
    candidates "$1" | while IFS= read -r candidate; do
        if is "$candidate" "$1"; then
            command -v "$candidate"
            break
        fi
    done
}

if [ -n "${PYTHON:-}" ]; then
    if is "$PYTHON" "${1:-$supported}"; then
        command -v "$PYTHON"
        exit
    fi
    found=$("$PYTHON" -V 2>&1) || found="not found"
    echo "PYTHON=$PYTHON is $found; this needs Python ${1:-3.11 to 3.14}." >&2
    exit 1
fi
pinned=$(sed -n '/^\[tool\.visits\]/,/^\[/ s/^python = "\(.*\)"/\1/p' "$project/pyproject.toml")
for version in ${1:-$pinned $supported}; do
    found=$(find_version "$version")
    if [ -n "$found" ]; then
        echo "$found"
        exit
    fi
done
if [ $# -eq 0 ] && is python3 "$supported"; then
    command -v python3
    exit
fi
exit 1
