"""Compiled libraries: built for any machine on any machine, and refused if their sources differ."""

import ctypes
import os
import random
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from worker.native import library
from worker.native.build import BuildError, build, system_compiler
from worker.native.gzip import GzipStream
from worker.native.library import Native
from worker.native.targets import HERE, TARGETS, built, library_of, signature, this_machine

ROOT = Path(__file__).parents[3]
# The first bytes of what each system loads.
FORMATS = {"linux": b"\x7fELF", "macos": b"\xcf\xfa\xed\xfe"}


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for libraries."""
    return tmp_path_factory.mktemp("lib")


# A test for each, since zig compiles a runtime of its own for a target before the first library.
@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_built_on_any_machine(portable: Path, target: str) -> None:
    begin = build(target, portable).read_bytes()[:4]
    assert begin == FORMATS[target.partition("-")[0]]


def test_every_target_that_is_built_is_listed(portable: Path) -> None:
    for target in TARGETS:
        build(target, portable)
    assert built(portable) == list(TARGETS)


def test_no_newer_c_library_is_asked_for_than_that_of_manylinux2014(portable: Path) -> None:
    content = build("linux-x86_64-gnu", portable).read_bytes()
    versions = {part.split(b"\0")[0] for part in content.split(b"GLIBC_2.")[1:]}
    assert versions
    assert max(float(version) for version in versions) <= 17.0


def test_the_portable_library_and_the_systems_give_the_same_bytes(
    portable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = b"".join(b"%d,some words,%d\n" % (n, random.Random(n).randrange(10**9)) for n in range(50_000))  # noqa: S311
    packed = []
    for path in (library.PATH, build(this_machine(), portable)):
        monkeypatch.setattr(library, "PATH", path)
        stream = GzipStream(Native())
        packed.append(bytes(stream.compress(memoryview(bytearray(rows)))) + stream.flush())
    assert packed[0] == packed[1]
    assert zlib.decompress(packed[0], 31) == rows


def test_a_library_of_other_sources_is_refused_by_name(portable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PATH", build(this_machine(), portable))
    monkeypatch.setattr(library, "signature", lambda: "1:0123456789abcdef")
    with pytest.raises(OSError, match=rf"{this_machine()}\.so is stale: it was built as {signature()}"):
        Native()


def test_a_library_for_another_machine_is_refused(portable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(target for target in TARGETS if target.split("-")[1] != this_machine().split("-")[1])
    monkeypatch.setattr(library, "PATH", build(other, portable))
    with pytest.raises(OSError, match=other):
        Native()


@pytest.mark.skipif(system_compiler() is None, reason="there is no C compiler on PATH")
def test_a_build_that_fails_leaves_no_stale_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = library_of(this_machine(), tmp_path)
    stale.write_bytes(b"stale")
    monkeypatch.setattr("worker.native.build._FLAGS", ("-no-such-flag",))
    with pytest.raises(BuildError, match="cannot be compiled"):
        build(this_machine(), tmp_path, portable=False)
    assert list(tmp_path.iterdir()) == []


def test_without_a_c_compiler_zig_builds_a_library_that_loads(tmp_path: Path) -> None:
    project = tmp_path / "a folder"
    shutil.copytree(HERE, project / "worker" / "native", ignore=shutil.ignore_patterns("lib", "__pycache__"))
    shutil.copy(ROOT / "worker" / "__init__.py", project / "worker")
    (project / ".local").mkdir()
    for name in ("zig", "zig-cache"):
        (project / ".local" / name).symlink_to(ROOT / ".local" / name)
    build_here = [sys.executable, "-m", "worker.native.build"]
    environ = {**{key: value for key, value in os.environ.items() if key != "CC"}, "PATH": str(tmp_path)}
    done = subprocess.run(build_here, cwd=project, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    loaded = ctypes.CDLL(str(library_of(this_machine(), project / "worker" / "native" / "lib")))
    loaded.tailrace_build.restype = ctypes.c_char_p
    assert loaded.tailrace_build().decode() == f"{signature()}:zig"
