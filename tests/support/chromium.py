"""A browser that npm installs: needs no root, and no download from elsewhere."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from devstack.azurite import node

_HOME = Path(__file__).parents[1] / "browser"
MODULES = _HOME / "node_modules"
_UNPACKED = _HOME.parents[1] / ".local" / "browser"
_UNPACK = "import('@sparticuz/chromium').then(async (found) => console.log(await found.default.executablePath()))"
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--headless=new", "--font-render-hinting=none", "--hide-scrollbars"]


@cache
def chromium() -> str:
    """The browser's program. Raises OSError or CalledProcessError if npm cannot install it."""
    path = os.pathsep.join((str(Path(node()).parent), os.environ["PATH"]))
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, "PATH": path, "TMPDIR": str(_UNPACKED)}
    # One process installs and unpacks, and all others wait for it.
    with (_UNPACKED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _unpacked(environ)


def _unpacked(environ: dict[str, str]) -> str:
    if not (MODULES / ".package-lock.json").is_file():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=_HOME, env=environ, check=True, capture_output=True, text=True, timeout=110)
    done = subprocess.run(
        [node(), "-e", _UNPACK], cwd=_HOME, env=environ, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def why_not(error: Exception) -> str:
    """Why the browser could not be installed, on one line."""
    said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
    return f"npm cannot install the browser: {said[-1] if said else error}"


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=program, args=_ARGUMENTS) as running:
            yield running
