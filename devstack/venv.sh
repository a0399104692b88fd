#!/bin/sh
# Brings a virtual environment up to date: venv.sh FOLDER GROUP. Called by make when locks/GROUP.txt has changed. The
# first group makes the environment; `dev` leaves nothing in it that its lock does not name, other groups only add. The
# file FOLDER/.GROUP says that a group is there.
set -eu
folder=$1
group=$2
here=$(dirname "$0")

uv() { sh "$here/uv.sh" "$@"; }

if [ ! -x "$folder/bin/python" ]; then
    if ! python=$(sh "$here/python.sh"); then
        [ -z "${PYTHON:-}" ] || exit 1
        # Every Python here is too old or too new. uv can fetch one, where its downloads are reached.
        python=$(sed -n '/^\[tool\.visits\]/,/^\[/ s/^python = "\(.*\)"/\1/p' "$here/../pyproject.toml")
        if ! uv python install -q "$python"; then
            echo "This needs Python 3.11 to 3.14: install one, or name it: make PYTHON=/path/to/python3.13" >&2
            exit 1
        fi
    fi
    uv venv -q --no-project --clear --python "$python" "$folder"
fi

echo "installing $group into $folder ($("$folder/bin/python" -V)) ..."
case $group in
    dev) set -- sync ;;
    *) set -- install --no-deps -r ;;
esac
case $folder in
    # What runs there is none of the project, and writes the bytecode of what it loads.
    .venv-aws | .venv-lint | .venv-ocr) bytecode= ;;
    # No bytecode is written later (Makefile), so all of it is now.
    *) bytecode=--compile-bytecode ;;
esac
if ! uv pip "$@" "locks/$group.txt" -q --require-hashes $bytecode --python "$folder/bin/python"; then
    echo "The packages of locks/$group.txt could not be installed; what uv says about it is above." >&2
    exit 1
fi
case $group in
    # What developing needs includes what running and delivering need, and nothing of what finds mutants.
    dev) rm -f "$folder/.mutate" && touch "$folder/.run" "$folder/.deliver" "$folder/.dev" ;;
    *) touch "$folder/.$group" ;;
esac
