"""What `pip install .` installs."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from worker.native.targets import built

ROOMS = ("cli", "connections", "contracts", "doctor", "operations", "producer", "telemetry", "worker")
MODULES = ("function_app.py", "settings.py")


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools writes into the folder that it builds from."""
    folder = tmp_path_factory.mktemp("wheel")
    for room in (*ROOMS, "devstack", "emulators"):
        shutil.copytree(root / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in (*MODULES, "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", "out", "."]
    subprocess.run(command, cwd=folder, check=True)
    return next((folder / "out").glob("*.whl"))


def test_a_wheel_holds_every_module_of_the_rooms_that_are_deployed_and_no_other(root: Path, wheel: Path) -> None:
    wanted = {str(file.relative_to(root)) for room in ROOMS for file in (root / room).rglob("*.py")} | set(MODULES)
    with ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".py")} == wanted


def test_the_command_of_a_wheel_names_the_machines_that_it_is_compiled_for(wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-P", "-c", "from cli.start import main; main()", "--version"]
    said = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip().endswith(f", compiled for {', '.join(built())}"), said.stderr
