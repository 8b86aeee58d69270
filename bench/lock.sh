#!/bin/sh
# Writes requirements.txt anew from requirements.in. Needs the network and `make setup`.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/uv pip compile --quiet --python-version "$(cat .python-version)" --generate-hashes --no-header --no-annotate \
    --constraint requirements.txt bench/requirements.in -o bench/requirements.txt >/dev/null
