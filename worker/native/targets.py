"""Pure: the machines that the C is compiled for, and the signature by which a library belongs to its sources.

The standard library only: packaging runs this before anything is installed.
"""

import sys
from hashlib import sha256
from pathlib import Path
from platform import machine

HERE = Path(__file__).parent
LIBRARIES = HERE / "lib"
# Raised whenever a function of the library takes or returns something else: Python and library must agree on it.
ABI = 4
# Name → zig's target. glibc 2.17 is what manylinux2014 asks for.
TARGETS = {
    "linux-x86_64-gnu": "x86_64-linux-gnu.2.17",
    "linux-aarch64-gnu": "aarch64-linux-gnu.2.17",
    "linux-x86_64-musl": "x86_64-linux-musl",
    "linux-aarch64-musl": "aarch64-linux-musl",
    "macos-x86_64": "x86_64-macos",
    "macos-aarch64": "aarch64-macos",
}
# Azure Functions runs this one.
AZURE = "linux-x86_64-gnu"


def this_machine() -> str:
    """The target that this process runs on; it may be none of TARGETS."""
    processor = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine().lower(), machine().lower())
    if sys.platform == "darwin":
        return f"macos-{processor}"
    libc = "musl" if str(getattr(sys.implementation, "_multiarch", "")).endswith("musl") else "gnu"
    return f"{sys.platform}-{processor}-{libc}"


def library_of(target: str, folder: Path = LIBRARIES) -> Path:
    """The path of a target's library; it exists only once it is built."""
    return folder / f"{target}.so"


def sources(folder: Path = HERE) -> list[Path]:
    """The C files and headers."""
    return sorted([*folder.glob("*.c"), *folder.glob("*.h")])


def signature(folder: Path = HERE) -> str:
    """The ABI, and a hash of the sources: what `tailrace_build` returns of a library that was built from them.

    Without the sources, as in a wheel, only the ABI.
    """
    files = sources(folder)
    if not files:
        return f"{ABI}:"
    digest = sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{ABI}:{digest.hexdigest()[:16]}"


def built(folder: Path = LIBRARIES) -> list[str]:
    """The targets that libraries are there for."""
    return [target for target in TARGETS if library_of(target, folder).is_file()]
