#!/bin/sh
# Resolves pyproject.toml into locks/*.txt and requirements.txt: lock.sh [FOLDER], the project by default. Versions that
# still fit stay, unless UPGRADE=1 asks for the newest.
set -eu
project=$(cd "$(dirname "$0")/.." && pwd)
cd "${1:-$project}"

# For every Python and system that pyproject.toml allows; with hashes, and without any address, so that whoever has an
# index of their own uses it.
lock() {
    file=$1
    shift
    sh "$project/devstack/uv.sh" pip compile -q --universal --python-version 3.11 --generate-hashes \
        --no-annotate --no-emit-index-url --custom-compile-command "make lock" ${UPGRADE:+--upgrade} --output-file "$file" "$@"
}

# What is installed into one environment agrees on every version.
lock locks/mutate.txt pyproject.toml --group mutate

# The others wait for the network side by side.
locking=
for group in clients console emulator lint ocr uv; do
    lock "locks/$group.txt" --group "$group" &
    locking="$locking $!"
done
for group in dev deliver run; do
    lock "locks/$group.txt" pyproject.toml --group "$group" --constraint locks/mutate.txt &
    locking="$locking $!"
done
lock requirements.txt pyproject.toml --constraint locks/mutate.txt &
for one in $locking $!; do
    wait "$one"
done
