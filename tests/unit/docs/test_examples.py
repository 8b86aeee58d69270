"""Examples and code names of the documents are valid."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from contracts.output import Output
from settings import _CONNECTIONS, _PLAIN

ROOT = Path(__file__).parents[3]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "jobs.toml",
    *sorted((ROOT / "examples").glob("*.toml")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_job_that_is_shown_is_valid(page: Path) -> None:
    text = page.read_text()
    for block in [text] if page.suffix == ".toml" else re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        document = tomllib.loads(block)
        if isinstance(document.get("job"), list):
            assert parse_jobs(document)


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text()
    names = [*_PLAIN, *_CONNECTIONS, *(f"{name}__{suffix}" for name, (suffix, _, _) in _CONNECTIONS.items())]
    assert [name for name in names if f"`{name}`" not in text] == []


def names_in(page: Path) -> set[str]:
    """The texts between backticks on a page, outside of blocks of code."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)))


def is_there(name: str) -> bool:
    """Whether a path of the repository, or a dotted name of our code, exists."""
    if "*" in name:
        return any(ROOT.glob(name))
    if (ROOT / name).exists():
        return True
    parts = name.split(".")
    ends = [end for end in range(1, len(parts) + 1) if file_of(parts[:end]).is_file()]
    if not ends:
        return False
    inside = parts[ends[-1] :]
    return not inside or ".".join(inside) in defined_in(file_of(parts[: ends[-1]]))


def file_of(parts: list[str]) -> Path:
    path = ROOT / Path(*parts)
    return path / "__init__.py" if (path / "__init__.py").is_file() else path.with_suffix(".py")


def defined_in(file: Path) -> set[str]:
    """The names that a module defines at its top, and those of its classes as Class.name."""
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        names |= set(names_of(node))
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for one in node.body for name in names_of(one)}
    return names


def names_of(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            yield name


OURS = re.compile(
    r"(bench|cli|connections|contracts|deploy|devstack|docs|doctor|emulators|examples|operations|producer|scripts|settings"
    r"|telemetry|tests|worker)([./][\w*-]+)+(\.(py|c|h|json|md|sh|toml))?/?"
)


def code_names(page: Path) -> set[str]:
    """The names of our code on a page: paths, dotted names, and modules that a command runs."""
    names = {name for name in names_in(page) if OURS.fullmatch(name)}
    return names | set(
        re.findall(r"python3? -m ((?:bench|cli|contracts|deploy|devstack|emulators|worker)[\w.]*)", page.read_text())
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: page.name)
def test_every_name_of_the_code_is_there(page: Path) -> None:
    if page.parent.name == "decisions":
        pytest.skip("a decision describes the code of its day")
    assert [name for name in sorted(code_names(page)) if not is_there(name)] == []


def test_every_key_of_a_job_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "jobs.md").read_text()
    keys = {
        field.alias or name
        for model in (ExportJob, TimeGrid, IntegerGrid, Output)
        for name, field in model.model_fields.items()
    }
    assert [
        key for key in sorted(keys) if not re.search(rf"^{key} = |\[job\.{key}\]|`{key}`", text, re.MULTILINE)
    ] == []
