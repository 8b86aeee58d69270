"""Links, anchors and paths of pages lead somewhere."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "emulators").rglob("*.md")),
]
PAGES = [page for page in PAGES if "node_modules" not in page.parts]
SOURCES = [
    file
    for kind in ("*.py", "*.toml", "*.bicep", "*.json", "*.yaml")
    for folder in (ROOT, *(ROOT / room for room in ("cli", "connections", "contracts", "deploy", "devstack", "doctor")))
    for file in sorted(folder.glob(kind) if folder == ROOT else folder.rglob(kind))
    if "node_modules" not in file.parts
]


def prose_of(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    slugs = [slug(title) for title in re.findall(r"^#+ +(.+?) *$", prose_of(page), re.MULTILINE)]
    seen: Counter[str] = Counter()
    found = set()
    for one in slugs:
        found.add(f"{one}-{seen[one]}" if seen[one] else one)
        seen[one] += 1
    return found


def slug(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def links_of(page: Path) -> list[tuple[str, str]]:
    """The relative links of a page as (path, anchor)."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [(path, anchor) for path, _, anchor in (one.partition("#") for one in targets if "://" not in one)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    assert [path for path, _ in links_of(page) if path and not (page.parent / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_anchor_is_a_heading_of_its_page(page: Path) -> None:
    wrong = []
    for path, anchor in links_of(page):
        target = (page.parent / path).resolve() if path else page
        if anchor and anchor not in anchors_of(target):
            wrong.append(f"{path}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize("page", [*PAGES, *SOURCES], ids=name)
def test_every_page_that_is_named_by_its_path_exists(page: Path) -> None:
    named = re.findall(r"(?<![\w./-])docs/[\w/-]+\.md", page.read_text())
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=name)
def test_every_page_is_reached_from_the_index(page: Path) -> None:
    reached, waiting = set[Path](), [ROOT / "docs" / "README.md"]
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting += [target for path, _ in links_of(at) if (target := (at.parent / path).resolve()).suffix == ".md"]
    assert page in reached
