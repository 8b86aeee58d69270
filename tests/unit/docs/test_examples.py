"""What the documents show can be used as it stands."""

import re
import tomllib
from pathlib import Path

import pytest

from contracts.jobs_file import parse_jobs
from settings import _CONNECTIONS, _PLAIN

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "jobs.toml", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_job_that_is_shown_is_valid(page: Path) -> None:
    text = page.read_text()
    for block in [text] if page.suffix == ".toml" else re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        document = tomllib.loads(block)
        if isinstance(document.get("job"), list):
            assert parse_jobs(document)


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    names = [*_PLAIN, *_CONNECTIONS, *(f"{name}__{suffix}" for name, (suffix, _, _) in _CONNECTIONS.items())]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
