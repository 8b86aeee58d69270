"""What the documents show can be used as it stands."""

import re
import tomllib
from pathlib import Path

import pytest

from connections.storage import _REFUSED
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from contracts.output import Output
from contracts.reasons import PERMANENT
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def names_in(page: Path) -> set[str]:
    """What a page writes between backticks, outside of blocks of code."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)))


def is_there(name: str) -> bool:
    """Whether a path of the repository, or a dotted name of our code, exists."""
    if (ROOT / name).exists():
        return True
    parts = name.split(".")
    ends = [end for end in range(1, len(parts) + 1) if file_of(parts[:end]).is_file()]
    if not ends:
        return False
    text = file_of(parts[: ends[-1]]).read_text()
    return all(re.search(rf"\b{re.escape(one)}\b", text) for one in parts[ends[-1] :])


def file_of(parts: list[str]) -> Path:
    path = ROOT / Path(*parts)
    return path / "__init__.py" if (path / "__init__.py").is_file() else path.with_suffix(".py")


OURS = re.compile(
    r"(cli|connections|contracts|deploy|devstack|doctor|emulators|operations|producer|scripts|telemetry|tests|worker)"
    r"([./][\w*]+)+(\.(py|c|h|json|md|sh))?/?"
)


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: page.name)
def test_every_name_of_the_code_is_there(page: Path) -> None:
    if page.parent.name == "decisions":
        pytest.skip("a decision speaks of the day it was made")
    assert [
        name for name in sorted(names_in(page)) if OURS.fullmatch(name) and "*" not in name and not is_there(name)
    ] == []


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "message_states.md").read_text()
    codes = set(_REFUSED)
    assert [reason for reason in sorted(PERMANENT - codes) if f"`{reason}`" not in text] == []


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
