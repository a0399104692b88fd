#!/bin/sh
# Runs uv: uv.sh ARGUMENTS. It is the installed one if pyproject.toml accepts its version, else one of our own in
# .venv-uv, which pip installs from PyPI on first use.
set -eu
project=$(cd "$(dirname "$0")/.." && pwd)

# Whoever has a package index of their own has told pip.
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
fi

# uv reads pyproject.toml, and refuses to do anything if its version is not the required one.
if (cd "$project" && uv cache dir) >/dev/null 2>&1; then
    exec uv "$@"
fi

folder=$project/.venv-uv
if ! cmp -s "$project/locks/uv.txt" "$folder/installed.txt"; then
    echo "installing uv, which installs the rest ..." >&2
    rm -rf "$folder"
    # Into a plain folder: pip alone is enough for that, and Debian's Python allows it.
    if python3 -m pip --version >/dev/null 2>&1; then
        python=python3
    elif python3 -m venv "$folder" >/dev/null 2>&1; then
        python=$folder/bin/python
    else
        echo "This needs uv, or a python3 with pip to install it with." \
            "On Debian and Ubuntu: apt-get install python3-venv (or python3-pip)" >&2
        exit 1
    fi
    if ! "$python" -m pip install -qq --disable-pip-version-check --no-input --no-deps --require-hashes --upgrade \
        --target "$folder/uv" -r "$project/locks/uv.txt" >&2; then
        echo "uv could not be installed; what pip says about it is above." >&2
        exit 1
    fi
    cp "$project/locks/uv.txt" "$folder/installed.txt"
fi
exec "$folder/uv/bin/uv" "$@"
