"""The container worker's image: the Dockerfile and, if a Docker engine runs, the image itself."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BASE_IMAGE = "python:3.13-slim"
BUILD_IMAGE = "python:3.13"
TAG = "tailrace:image-test"


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "deploy" / "Dockerfile").read_text("utf-8")


@pytest.fixture(scope="module")
def copied(dockerfile: str) -> set[str]:
    """What the image takes from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return {source.rstrip("/") for line in lines for source in line.split()[:-1]}


def test_the_image_holds_all_that_the_command_imports(
    root: Path, copied: set[str], imported: Callable[[str], set[str]]
) -> None:
    modules = imported("cli") | imported("worker")
    assert {f"{name}.py" if (root / f"{name}.py").is_file() else name for name in modules} <= copied


def test_everything_that_is_copied_exists_and_is_in_the_context(root: Path, copied: set[str]) -> None:
    allowed = set(re.findall(r"^!(.+)$", (root / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    assert copied == allowed
    assert all((root / name).exists() for name in copied)


def test_dependencies_are_installed_by_hash_and_the_worker_is_not_root(dockerfile: str) -> None:
    assert "--require-hashes" in dockerfile
    assert re.findall(r"^FROM .*$", dockerfile, re.MULTILINE) == ["FROM ${BUILD_IMAGE} AS build", "FROM ${BASE_IMAGE}"]
    assert f"ARG BASE_IMAGE={BASE_IMAGE}\n" in dockerfile
    assert f"ARG BUILD_IMAGE={BUILD_IMAGE}\n" in dockerfile
    [user] = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert user != ("0", "0")
    assert dockerfile.index("USER ") > dockerfile.rindex("FROM ")
    assert re.search(r'^ENTRYPOINT \["tailrace"\]$', dockerfile, re.MULTILINE)


def test_the_command_s_requirements_have_the_versions_that_are_tested(root: Path) -> None:
    tested, ours = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (root / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements-dev.txt", "deploy/requirements-cli.txt")
    )
    assert {"typer", "rich"} <= ours.keys()
    assert {name: tested[name] for name in ours} == ours


def _docker(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout)


@pytest.fixture(scope="module")
def image(root: Path) -> Iterator[str]:
    if shutil.which("docker") is None or _docker("info").returncode != 0:
        pytest.skip("no Docker engine runs here")
    for base in (BASE_IMAGE, BUILD_IMAGE):
        if _docker("image", "inspect", base).returncode != 0:
            pytest.skip(f"the Docker engine has no image {base}; docker pull it")
    options = ["--quiet", "--network", "host", "--file", str(root / "deploy" / "Dockerfile"), "--tag", TAG]
    built = _docker("build", *options, str(root), timeout=600)
    assert built.returncode == 0, built.stderr
    yield TAG
    _docker("image", "rm", "--force", TAG)


@pytest.mark.timeout(700)
def test_the_image_runs_the_command_as_an_ordinary_user_without_a_network_or_a_writable_disk(image: str) -> None:
    run = ("run", "--rm", "--network", "none", "--read-only")
    program = "import os, worker.container, worker.functions; print(os.getuid())"
    done = _docker(*run, "--entrypoint", "python", image, "-c", program)
    assert (done.returncode, done.stdout) == (0, "10001\n"), done.stderr
    shown = _docker(*run, image, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "work" in shown.stdout


@pytest.mark.timeout(700)
def test_the_image_without_settings_says_what_is_missing(image: str) -> None:
    done = _docker("run", "--rm", "--network", "none", "--read-only", image)
    assert done.returncode != 0
    assert "PGHOST is missing" in done.stderr
    assert "Traceback" not in done.stderr
