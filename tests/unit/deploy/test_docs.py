"""docs/how-to/deploy.md leaves out no parameter, no role and no alert."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.template.syntax import Template, text


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    return (root / "docs" / "how-to" / "deploy.md").read_text("utf-8")


def test_every_parameter_is_explained_with_its_default(root: Path, guide: str) -> None:
    parameters = json.loads((root / "deploy" / "main.parameters.json").read_text("utf-8"))["parameters"]
    rows = [line for line in guide.splitlines() if line.startswith("|")]
    for parameter in parameters.values():
        name, _, default = parameter["value"].strip("${}").partition("=")
        [row] = [line for line in rows if f"`{name}`" in line.split("|")[1]]
        assert default in row.split("|")[2]


def test_every_role_is_listed(root: Path, guide: str) -> None:
    roles = json.loads((root / "deploy" / "roles.json").read_text("utf-8"))
    assert [role["name"] for role in roles.values() if role["name"] not in guide] == []


def test_every_capacity_entry_is_explained(root: Path, guide: str) -> None:
    capacity = json.loads((root / "deploy" / "capacity.json").read_text("utf-8"))
    assert [name for section in capacity.values() for name in section if f".{name}`" not in guide] == []


def test_every_alert_is_listed(guide: str, templates: Mapping[str, Template]) -> None:
    names = set(re.findall(r"name: '([a-z]+-[a-z]+)'", text(templates["alerts.bicep"].root)))
    assert names == {"window-lag", "silent-schedule", "dead-letters", "audit-drift", "drill-failures"}
    assert [name for name in {*names, "failures"} if f"`{name}`" not in guide] == []


def test_every_output_that_the_guide_uses_is_given(guide: str, templates: Mapping[str, Template]) -> None:
    used = set(re.findall(r"\$(\w+)|get-value (\w+)", guide))
    given = templates["main.bicep"].outputs.keys() | {"PGPASSWORD"}
    named = {first or second for first, second in used}
    assert {name for name in named if name.upper() == name or "__" in name} - {"PATH"} <= given
