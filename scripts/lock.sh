#!/bin/sh
# Writes the lock files anew from pyproject.toml and devstack/node/package.json. Needs the network and `make setup`.
set -eu
cd "$(dirname "$0")/.."

compile() {
    .venv/bin/uv pip compile --quiet --python-version "$(cat .python-version)" --generate-hashes --no-header \
        --no-annotate "$@" >/dev/null
}

compile pyproject.toml --extra telemetry -o requirements.txt
# One set of versions: what is tested is what runs in Azure.
compile pyproject.toml --extra telemetry --extra cli --extra local --extra parquet --extra dev --constraint requirements.txt -o requirements-dev.txt
extra=$(mktemp)
trap 'rm -f "$extra"' EXIT
.venv/bin/python -I scripts/check_locks.py --print-extra node >"$extra"
compile "$extra" -o requirements-node.txt
.venv/bin/python -I scripts/check_locks.py --print-extra zig >"$extra"
compile "$extra" -o requirements-zig.txt
.venv/bin/python -I scripts/check_locks.py --print-extra parquet >"$extra"
compile "$extra" --constraint requirements-dev.txt -o requirements-parquet.txt
# What the container image needs beside requirements.txt.
.venv/bin/python -I scripts/check_locks.py --print-extra cli >"$extra"
compile "$extra" --constraint requirements-dev.txt -o deploy/requirements-cli.txt

for folder in devstack/node tests/browser tests/support/clients; do
    (cd "$folder" && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit \
        --no-fund --loglevel=error)
done
.venv/bin/python -I scripts/check_locks.py --tidy-node
.venv/bin/python -I scripts/check_locks.py
