#!/bin/sh
# Makes .venv and devstack/node/node_modules what the lock files say. A second run finds nothing to do.
# With --check it only looks for that, and installs nothing.
# Exit status: 2 when this machine lacks something, with what it is and how to get it; 1 when an installation failed.
set -eu
cd "$(dirname "$0")/.."

# Somebody else's Python settings must not reach this project's.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX __PYVENV_LAUNCHER__
export PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1

wanted=$(cat .python-version)
log=.local/setup.log
azurite=devstack/node/node_modules/azurite/package.json
here=$(pwd -P)

say() { printf '%-9s %s\n' "$1" "$2"; }

lacking() {
    printf 'setup: %s\n       %s\n' "$1" "$2" >&2
    exit 2
}

# hint <Debian packages> <Homebrew packages>
hint() {
    case $(uname -s) in
        Darwin) echo "brew install $2" ;;
        *) echo "Debian, Ubuntu: sudo apt-get install $1" ;;
    esac
}

# quietly <what> <command...>: its output goes to the log, of which the end is shown if it fails.
quietly() {
    what=$1
    shift
    if ! "$@" >>"$log" 2>&1; then
        tail -n 15 "$log" >&2
        printf 'setup: %s failed; the whole output is in %s\n' "$what" "$log" >&2
        exit 1
    fi
}

# What a stamp holds: the content of the files that decide, and the folder, since a venv cannot be moved.
key() { { printf '%s\n' "$here"; cat "$@"; } | cksum; }

is_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

is_wanted() { "$1" -I -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$wanted')" >/dev/null 2>&1; }

# Every place a Python may be in; a pyenv shim is there for versions that are not chosen, too, and then fails.
candidates() {
    command -v "python$wanted" || true
    for root in "${PYENV_ROOT:-}" "$(pyenv root 2>/dev/null || true)" "$HOME/.pyenv"; do
        for found in "$root/versions/$wanted".*/bin/"python$wanted"; do
            if [ -n "$root" ] && [ -x "$found" ]; then printf '%s\n' "$found"; fi
        done
    done
    uv python find --no-project --no-python-downloads "$wanted" 2>/dev/null || true
    command -v python3 || true
    command -v python || true
}

find_python() {
    candidates | while IFS= read -r candidate; do
        # The program behind a shim or a venv: a venv made from another venv breaks with it.
        if is_wanted "$candidate"; then
            "$candidate" -I -c 'import os, sys; print(os.path.realpath(sys._base_executable))'
            break
        fi
    done
}

check_python() {
    "$1" -I -c 'import venv, ensurepip' 2>/dev/null ||
        lacking "$1 cannot make virtual environments." "$(hint "python$wanted-venv" "python@$wanted")"
}

choose_python() {
    python=$(find_python)
    [ -n "$python" ] ||
        lacking "Python $wanted is needed, and none was found by pyenv, by uv or on PATH." \
            "pyenv install $wanted, or uv python install $wanted, or: $(hint "python$wanted python$wanted-venv" "python@$wanted")"
    check_python "$python"
}

make_venv() {
    venv=$(key .python-version)
    if is_current .venv/.made "$venv" && is_wanted .venv/bin/python; then return; fi
    choose_python
    say python "making .venv with $python"
    rm -rf .venv
    quietly "making .venv" "$python" -I -m venv .venv
    echo "$venv" >.venv/.made
}

pip_install() { quietly "pip install" .venv/bin/python -I -m pip install --quiet "$@"; }

install_packages() {
    locked=$(key requirements-dev.txt)
    if ! is_current .venv/.packages "$locked"; then
        say packages "installing $(grep -c == requirements-dev.txt) packages into .venv, about a minute"
        pip_install --require-hashes -r requirements-dev.txt
        echo "$locked" >.venv/.packages
    fi
    project=$(key pyproject.toml)
    if ! is_current .venv/.project "$project"; then
        say tailrace "installing this folder into .venv"
        pip_install --no-deps --no-build-isolation -e .
        echo "$project" >.venv/.project
    fi
}

# Azurite runs from Node 20 on. Debian's package may lack npm.
has_node() {
    command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' >/dev/null 2>&1
}

install_azurite() {
    locked=$(key devstack/node/package-lock.json)
    if is_current devstack/node/node_modules/.made "$locked" && [ -f "$azurite" ]; then
        if has_node || is_current .venv/.node "$(key requirements-node.txt)"; then return; fi
    fi
    if has_node; then npm=npm; else install_node; fi
    say azurite "installing Azurite into devstack/node, about half a minute"
    quietly "installing Azurite" npm_ci
    echo "$locked" >devstack/node/node_modules/.made
}

install_node() {
    if ! is_current .venv/.node "$(key requirements-node.txt)"; then
        say node "installing Node into .venv, since PATH has none of version 20 or later with npm"
        pip_install --require-hashes -r requirements-node.txt
        key requirements-node.txt >.venv/.node
    fi
    PATH=$here/.venv/bin:$PATH
    npm=npm
}

npm_ci() { (cd devstack/node && "$npm" ci --ignore-scripts --no-audit --no-fund --loglevel=error); }

if [ "${1:-}" = --check ]; then
    choose_python
    exit
fi
mkdir -p .local
: >"$log"
make_venv
install_packages
.venv/bin/python -m worker.native.build || true
install_azurite
