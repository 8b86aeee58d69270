"""Runs the property tests of worker/native on a library that is compiled with sanitizers; `make fuzz`.

Bytes that hypothesis makes up go through the compressor, the columns, the printer and the rows' hash. Reads and writes
beyond an allocation, overflows and other undefined behaviour end the run. It takes less than a minute.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from worker.native.build import ZIG, system_compiler  # noqa: E402
from worker.native.targets import signature, sources  # noqa: E402

_TESTS = [f"tests/unit/worker/test_{name}.py" for name in ("gzip", "columns", "csv_rows", "printer")]
_LONGEST_SECONDS = 60
_RUN = """
import sys
from pathlib import Path
import pytest
from worker.native import library
library.PATH = Path(sys.argv[1])
assert library.why_not() is None, library.why_not()
sys.exit(pytest.main(["-q", "-x", "--no-header", "--hypothesis-seed=random", *sys.argv[2:]]))
"""


class Sanitizer(NamedTuple):
    """A compiler that can, its flags, and what a process needs that loads such a library."""

    name: str
    command: list[str]
    environ: dict[str, str]


def sanitizers() -> list[Sanitizer]:
    """The strictest first: addresses need the runtime of a system's compiler, undefined behaviour only a trap."""
    found = []
    if compiler := system_compiler():
        flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        runtime = subprocess.run(
            [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=False
        ).stdout.strip()
        environ = {"LD_PRELOAD": runtime, "PYTHONMALLOC": "malloc"}
        found.append(Sanitizer("addresses and undefined behaviour", [compiler, *flags], environ))
    if (ZIG / "ziglang").is_dir():
        zig = [sys.executable, "-m", "ziglang", "cc", "-fsanitize=undefined", "-fsanitize-trap=undefined"]
        found.append(Sanitizer("undefined behaviour", zig, {"PYTHONPATH": str(ZIG)}))
    return found


def compiled(sanitizer: Sanitizer, library: Path) -> bool:
    """Whether the compiler has such a sanitizer."""
    files = [str(file) for file in sources() if file.suffix == ".c"]
    flags = ["-O1", "-g", "-shared", "-fPIC", "-DSANITIZED", f'-DTAILRACE_BUILD="{signature()}:sanitized"']
    command = [*sanitizer.command, *flags]
    environ = {**os.environ, **{key: value for key, value in sanitizer.environ.items() if key == "PYTHONPATH"}}
    environ["ZIG_GLOBAL_CACHE_DIR"] = str(ROOT / ".local" / "zig-cache")
    done = subprocess.run([*command, "-o", str(library), *files], env=environ, capture_output=True, check=False)
    return done.returncode == 0


def run(sanitizer: Sanitizer, library: Path) -> int:
    """The exit status of the tests; what a sanitizer reports is printed."""
    reports = library.with_name("report")
    environ = {**os.environ, **sanitizer.environ, "PYTHONPATH": str(ROOT)}
    # Python itself leaks at its end; pytest captures what a sanitizer would print.
    environ |= {"ASAN_OPTIONS": f"detect_leaks=0:log_path={reports}", "UBSAN_OPTIONS": f"log_path={reports}"}
    argv = [sys.executable, "-c", _RUN, str(library), *_TESTS]
    try:
        status = subprocess.run(argv, cwd=ROOT, env=environ, timeout=_LONGEST_SECONDS, check=False).returncode
    except subprocess.TimeoutExpired:
        sys.stdout.write(f"fuzz: nothing was found in {_LONGEST_SECONDS} s\n")
        return 0
    for report in reports.parent.glob("report*"):
        sys.stdout.write(report.read_text("utf-8", "replace"))
    if status:
        sys.stdout.write(f"fuzz: failed with status {status}\n")
    return abs(status)


def main() -> int:
    """The exit status: 0 also if no compiler here has sanitizers, which a line says."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "sanitized.so")
        for sanitizer in sanitizers():
            if compiled(sanitizer, library):
                sys.stdout.write(f"fuzz: worker/native, for {sanitizer.name}\n")
                sys.stdout.flush()
                return run(sanitizer, library)
    sys.stdout.write("fuzz: skipped, as no compiler here has sanitizers: install gcc or clang\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
