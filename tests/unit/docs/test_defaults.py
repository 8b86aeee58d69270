"""The defaults that the reference names are those of the code."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from contracts.output import Output
from settings import _PLAIN, Settings

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
TABLE = {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}"}
WINDOW = {"column": "at", "type": "date", "every": "1 day"}


def rows_of(page: Path, heading: str) -> list[list[str]]:
    """The cells of the table that begins with this row of headings."""
    lines = page.read_text().splitlines()
    begin = lines.index(heading) + 2
    end = next((number for number in range(begin, len(lines)) if not lines[number].startswith("|")), len(lines))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]


def documented_keys() -> dict[str, str]:
    return {keys.strip("`"): default for keys, default in rows_of(REFERENCE / "jobs.md", "| key | default |")}


def literal(text: str) -> Any:
    """The TOML value that a cell begins with, None if it begins with words."""
    match = re.match(r"`([^`]+)`", text)
    return tomllib.loads(f"value = {match[1]}")["value"] if match else None


def job_with(key: str, value: Any) -> ExportJob:
    """A job in which one key is written out."""
    table: dict[str, Any] = {**TABLE, "window": dict(WINDOW), "output": {}}
    place = next(
        place
        for place, model in ((table, ExportJob), (table["window"], TimeGrid), (table["output"], Output))
        if key in model.model_fields
    )
    place[key] = value
    return parse_jobs({"job": [table]})["a"]


def effects_of(job: ExportJob) -> dict[str, Any]:
    """What a job does: two spellings of one default have the same effects."""
    output = job.output
    more = {"level": output.effective_level, "verify": output.is_verified}
    return {**job.model_dump(exclude={"output"}), **output.model_dump(), **more}


PLAIN_JOB = parse_jobs({"job": [{**TABLE, "window": WINDOW}]})["a"]


@pytest.mark.parametrize("key", [key for key, text in documented_keys().items() if literal(text) is not None])
def test_a_key_written_out_with_its_documented_default_changes_nothing(key: str) -> None:
    assert effects_of(job_with(key, literal(documented_keys()[key]))) == effects_of(PLAIN_JOB)


def test_every_optional_key_has_a_documented_default() -> None:
    fields = {
        field.alias or name: field
        for model in (ExportJob, TimeGrid, Output)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }
    nested = {"window", "output", "schema", "table", "query"}
    documented = documented_keys()
    assert documented.keys() == fields.keys() - nested
    has_value = {key for key, field in fields.items() if field.default is not None} - nested
    assert {key for key, text in documented.items() if literal(text) is not None} == has_value | {"verify"}


# Their defaults depend on other settings or on the machine, so the page describes them.
DERIVED = {"TAILRACE_JOBS", "TAILRACE_PG_AUTH", "TAILRACE_MAX_STREAMS", "TAILRACE_MAX_PARTS", "PGSSLROOTCERT"}
REQUIRED = {
    "ServiceBusConnection": "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b",
    "ExportStorage": "UseDevelopmentStorage=true",
    "PGHOST": "db.example",
    "PGDATABASE": "d",
    "PGUSER": "u",
    "PGPASSWORD": "p",
}


def documented_settings() -> dict[str, str]:
    found = {}
    for cell, defaults, _ in rows_of(REFERENCE / "settings.md", "| variable | default | meaning |"):
        names = re.findall(r"`([^`]+)`", cell)
        each = defaults.split(", ") if len(names) > 1 and "," in defaults else [defaults] * len(names)
        assert len(each) == len(names), cell
        found |= dict(zip(names, each, strict=True))
    return found


@pytest.mark.parametrize("name", sorted(_PLAIN.keys() - DERIVED))
def test_a_setting_has_its_documented_default(name: str) -> None:
    text, field = documented_settings()[name], Settings.model_fields[_PLAIN[name]]
    if name == "PGSSLMODE":
        hosts = {"db.example": "verify-full", "127.0.0.1": "prefer", "/run": "prefer"}
        assert text == "`verify-full`; `prefer` for loopback and sockets"
        assert {host: Settings.from_env({**REQUIRED, "PGHOST": host}).postgres_sslmode for host in hosts} == hosts
    elif field.is_required() or field.default in {None, ""}:
        assert text == "\N{EN DASH}"
    else:
        value = re.sub(r" \(.*\)$", "", text).strip("`")
        assert Settings.from_env({**REQUIRED, name: value}) == Settings.from_env(REQUIRED)
