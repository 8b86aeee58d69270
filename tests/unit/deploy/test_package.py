"""The package for Azure has everything that the function app imports, and nothing else."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.package import app_files, ignored, make_package, patterns_of

type Imported = Callable[[str], set[str]]

ASSETS = {"host.json", "jobs.toml", "requirements.txt"}


@pytest.fixture(scope="module")
def tracked(root: Path) -> set[str]:
    """The top-level entries of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of what belongs to the project")
    return {line.partition("/")[0] for line in listed.stdout.splitlines()}


def test_the_app_s_imports_are_all_sent_and_nothing_else_is(root: Path, tracked: set[str], imported: Imported) -> None:
    modules = imported("function_app")
    assert {"producer", "worker", "settings", "contracts", "connections"} <= modules
    wanted = {f"{name}.py" if (root / f"{name}.py").is_file() else name for name in modules} | ASSETS
    patterns = patterns_of((root / ".funcignore").read_text("utf-8"))
    sent = {name for name in tracked | ASSETS if not ignored(Path(name), patterns)}
    assert sent == wanted


def test_nothing_inside_the_app_is_left_out_by_a_name_meant_for_another_folder(root: Path, imported: Imported) -> None:
    sent = set(app_files(root))
    for module in imported("function_app"):
        inside = (root / module).rglob("*.py") if (root / module).is_dir() else [root / f"{module}.py"]
        assert {path.relative_to(root) for path in inside} <= sent


@pytest.mark.parametrize("name", ["local.settings.json", ".local", ".venv", ".git", ".env", "app.zip", "worker.log"])
def test_what_lies_about_on_a_developer_s_machine_is_not_sent(tmp_path: Path, root: Path, name: str) -> None:
    (tmp_path / ".funcignore").write_text((root / ".funcignore").read_text("utf-8"), "utf-8")
    (tmp_path / "function_app.py").touch()
    (tmp_path / name).touch()
    assert list(app_files(tmp_path)) == [Path("function_app.py")]


def test_a_package_holds_the_app_at_its_root(root: Path, tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    make_package(root, package, with_dependencies=False)
    with ZipFile(package) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
    assert {"function_app.py", "host.json", "requirements.txt", "worker/functions.py"} <= names
    assert not {name for name in names if name.startswith(("tests/", "devstack/", "emulators/", "deploy/", ".venv/"))}
    assert not {name for name in names if "__pycache__" in name}
