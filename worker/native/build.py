"""Compiles the C of this folder: `python -m worker.native.build [TARGET …] [--all] [--list]`.

Without a target it compiles for this machine, by the system's C compiler if there is one. For named targets it always
uses zig, whose libraries run on any machine of the target. The standard library only, as in `targets`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from worker.native.targets import HERE, LIBRARIES, TARGETS, built, library_of, signature, sources, this_machine

ROOT = HERE.parents[1]
ZIG = ROOT / ".local" / "zig"
_LOCK = ROOT / "requirements-zig.txt"
_FLAGS = ("-O3", "-Wall", "-Wextra", "-shared", "-fPIC", "-s")


class BuildError(Exception):
    """A library could not be compiled; the message says why and what to do."""


def build(target: str, folder: Path = LIBRARIES, *, portable: bool = True) -> Path:
    """Compiles the library of a target into `folder` and returns its path. A library that is current stays.

    `portable` builds by zig; otherwise by the system's compiler if it has one. Raises BuildError, and leaves no
    library of the target behind.
    """
    library, stamp = library_of(target, folder), signature()
    if is_current(library, stamp, portable=portable):
        return library
    compiler = _compiler(target, portable=portable)
    by = "zig" if "ziglang" in compiler else "cc"
    folder.mkdir(parents=True, exist_ok=True)
    # To a new file first: a running worker may have the old one open.
    fresh = library.with_suffix(f".{os.getpid()}")
    files = [str(file) for file in sources() if file.suffix == ".c"]
    command = [*compiler, *_FLAGS, f'-DTAILRACE_BUILD="{stamp}:{by}"', "-o", str(fresh), *files]
    environ = {**os.environ, "PYTHONPATH": str(ZIG), "ZIG_GLOBAL_CACHE_DIR": str(ROOT / ".local" / "zig-cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode:
        for stale in (fresh, library):
            stale.unlink(missing_ok=True)
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise BuildError(f"worker/native cannot be compiled for {target}: {last}")
    fresh.replace(library)
    fresh.with_suffix(".pdb").unlink(missing_ok=True)
    return library


def is_current(library: Path, stamp: str, *, portable: bool) -> bool:
    """Whether a library was built from the sources that are here, and by zig if it has to be portable."""
    return library.is_file() and f"{stamp}:{'zig' if portable else ''}".encode() in library.read_bytes()


def _compiler(target: str, *, portable: bool) -> list[str]:
    if not portable and (found := system_compiler()):
        return [found]
    _install_zig()
    if target not in TARGETS:
        raise BuildError(f"worker/native cannot be compiled for {target}; known are {', '.join(TARGETS)}")
    return [sys.executable, "-m", "ziglang", "cc", "-target", TARGETS[target]]


def system_compiler() -> str | None:
    """The C compiler that CC names, else cc, gcc or clang on PATH."""
    return next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", "gcc", "clang"))), None)


def _install_zig() -> None:
    """Installs the package ziglang, 100 MB, into .local/zig, unless it is there. Raises BuildError."""
    if (ZIG / "ziglang").is_dir():
        return
    sys.stderr.write("native: installing zig, which compiles without a C compiler of the system (100 MB, once)\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command = [*pip, "--require-hashes", "--target", str(ZIG), "--requirement", str(_LOCK)]
    if subprocess.run(command, check=False).returncode:
        raise BuildError("zig cannot be installed by pip; install a C compiler, or connect to a package index")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0 if everything asked for is there, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m worker.native.build", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=[*TARGETS, []], help=", ".join(TARGETS))
    parser.add_argument("--all", action="store_true", help="for all targets")
    parser.add_argument("--list", action="store_true", help="print the targets that libraries are there for")
    options = parser.parse_args(arguments)
    if options.list:
        sys.stdout.write("".join(f"{target}\n" for target in built()))
        return 0
    named = list(TARGETS) if options.all else options.targets
    try:
        for target in named or [this_machine()]:
            build(target, portable=bool(named))
    except BuildError as error:
        sys.stderr.write(f"native: {error}; without it the worker uses more CPU, and writes no Parquet\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
