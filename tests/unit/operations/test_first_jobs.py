"""A jobs.toml that `tailrace jobs` accepts, for whatever tables there are."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.grid import IntegerGrid, TimeGrid
from contracts.jobs_file import Jobs, parse_jobs
from operations.first_jobs import proposals, text_of
from operations.survey import Candidate, Surveyed, WindowType

NOW = datetime(2026, 2, 1, tzinfo=UTC)
YEAR_AGO = NOW - timedelta(days=365)
GB = 1 << 30
AT = Candidate("created_at", "timestamptz", is_found_fast=True, nulls=0.0, order=1.0, oldest=YEAR_AGO, newest=NOW)
ID = Candidate("id", "integer", is_found_fast=True, nulls=0.0, order=1.0, oldest=0, newest=10_000_000)
CLICKS = Surveyed("events", "clicks", is_readable=True, size=40 * GB, rows=10_000_000, candidates=(ID, AT))


def jobs_of(*tables: Surveyed) -> Jobs:
    text = text_of(proposals(tables), [one for one in tables if not one.is_readable], "db on host", NOW)
    jobs = parse_jobs(tomllib.loads(text))
    assert jobs.disabled == ()
    return jobs


def window_of(*candidates: Candidate, size: int = 40 * GB) -> TimeGrid | IntegerGrid | None:
    (job,) = jobs_of(replace(CLICKS, size=size, candidates=candidates)).values()
    return job.window


def column(name: str, type_: WindowType = "timestamptz", *, fast: bool = True, nulls: float | None = 0.0) -> Candidate:
    return Candidate(name, type_, is_found_fast=fast, nulls=nulls, order=0.5)


@pytest.mark.parametrize(
    "worse",
    [
        column("updated_at"),
        column("expires_at"),
        column("shipped_on", "date", nulls=0.4),
        column("created_too", fast=False),
        column("id", "integer"),
    ],
    ids=lambda one: one.column,
)
def test_the_time_at_which_rows_come_is_preferred(worse: Candidate) -> None:
    for order in ((worse, AT), (AT, worse)):
        window = window_of(*order)
        assert window is not None
        assert window.column == "created_at"


@pytest.mark.parametrize(
    ("size", "every"), [(5000 * GB, "hour"), (40 * GB, "day"), (20 << 20, "month"), (1 << 20, "day")]
)
def test_windows_are_as_long_as_their_exports_are_of_a_handy_size(size: int, every: str) -> None:
    window = window_of(AT, size=size)
    assert isinstance(window, TimeGrid)
    assert window.every.unit == every


def test_a_large_table_without_a_time_is_cut_by_its_numbers_and_a_small_one_is_exported_whole() -> None:
    window = window_of(column("updated_at"), ID)
    assert isinstance(window, IntegerGrid)
    assert window.size == 100_000
    (job,) = jobs_of(replace(CLICKS, size=1 << 20, candidates=(ID,))).values()
    assert (job.window, job.schedule) == (None, "0 30 2 * * *")


def test_tables_of_one_shape_share_an_entry_and_one_that_cannot_be_read_is_named_in_a_comment() -> None:
    views, secret = replace(CLICKS, table="views"), replace(CLICKS, table="secret", is_readable=False)
    text = text_of(proposals([CLICKS, views, secret]), [secret], "db on host", NOW)
    assert 'tables = ["events.clicks", "events.views"]' in text
    assert text.count("[[job]]") == 1
    assert "# events.secret: this role may not read it; `tailrace grants` prints what it needs" in text


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=15)


@settings(deadline=None, max_examples=150)
@given(names=st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=5, unique_by=lambda one: one[:2]))
def test_whatever_tables_and_columns_are_called_the_file_is_accepted(names: list[tuple[str, str, str]]) -> None:
    tables = [
        replace(CLICKS, schema=schema, table=table, candidates=(replace(AT, column=name),))
        for schema, table, name in names
    ]
    found = {(job.schema_name, job.table) for job in jobs_of(*tables).values()}
    assert found == {(schema, table) for schema, table, _ in names}
