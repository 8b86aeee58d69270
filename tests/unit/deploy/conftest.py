"""The templates of this project, and small ones that a test writes."""

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# deploy/ is not installed: nothing of it runs in Azure.
sys.path.insert(0, str(ROOT))

from deploy.template.rules import read_templates  # noqa: E402
from deploy.template.syntax import Template  # noqa: E402

type Write = Callable[..., Mapping[Path, Template]]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def templates(root: Path) -> Mapping[str, Template]:
    """Every template of the project, by its file name."""
    return {path.name: template for path, template in read_templates(root / "deploy").items()}


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes files, each given as name=text with _ for the dot, and reads the templates among them."""

    def write(**files: str) -> Mapping[Path, Template]:
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text, "utf-8")
        return read_templates(tmp_path)

    return write


@pytest.fixture(scope="session")
def imported(root: Path) -> Callable[[str], set[str]]:
    """The top-level modules of the project that a given one imports, directly or not, itself included."""

    def closure(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = {start}
        while waiting:
            module = waiting.pop()
            seen.add(module)
            files = [root / f"{module}.py"] if (root / f"{module}.py").is_file() else (root / module).rglob("*.py")
            names = {name for file in files for name in _imports(ast.parse(file.read_text("utf-8")))}
            waiting |= {name for name in names - seen if _is_ours(root, name)}
        return seen

    return closure


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _is_ours(root: Path, name: str) -> bool:
    return (root / f"{name}.py").is_file() or (root / name / "__init__.py").is_file()
