#!/bin/sh
# Makes .local/bench-venv what requirements.txt says, apart from the app's own packages. A second run finds nothing to do.
# A package that cannot be installed is left out: the contenders that need it are skipped by name.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX __PYVENV_LAUNCHER__
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1

venv=.local/bench-venv
locked=bench/requirements.txt
log=.local/bench-setup.log

# The folder counts too, since a venv cannot be moved.
wanted=$({ pwd -P; cat .python-version "$locked"; } | cksum)
if [ -f "$venv/.made" ] && [ "$(cat "$venv/.made")" = "$wanted" ]; then exit; fi

mkdir -p .local
: >"$log"
rm -rf "$venv"
python=$(.venv/bin/python -I -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
"$python" -I -m venv "$venv" >>"$log" 2>&1 || { tail -n 15 "$log" >&2; exit 1; }

install() { "$venv/bin/python" -I -m pip install --quiet --require-hashes --no-deps -r "$1" >>"$log" 2>&1; }

printf '%-9s %s\n' peers "installing $(grep -c == "$locked") packages into $venv, about half a minute"
if ! install "$locked"; then
    one=$(mktemp)
    trap 'rm -f "$one"' EXIT
    for name in $(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' "$locked"); do
        awk -v name="$name" '/^[^ ]/ { kept = index($0, name "==") == 1 } kept' "$locked" >"$one"
        install "$one" || printf '%-9s %s\n' peers "$name cannot be installed; see $log"
    done
    exit  # without .made: the next run tries again
fi
echo "$wanted" >"$venv/.made"
