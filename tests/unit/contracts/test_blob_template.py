"""Templates of blob names: none leaves its container, none gives one name twice."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.blob_name import blob_name
from contracts.grid import TimeGrid
from contracts.job import ExportJob
from producer.windows import windows_between

DAILY = {"column": "at", "type": "timestamptz", "every": "1 day"}
NUMBERS = {"column": "id", "type": "integer", "size": 1000}
# Zones in which a midnight is missing or comes twice, in which a day is missing, with halves of hours, and without any.
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Beirut"),
    *("Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Asia/Kathmandu"),
]


def job(blob: str, **more: Any) -> ExportJob:
    given_keys = {"name": "a", "schema": "s", "table": "t", "blob": blob, "window": DAILY, **more}
    return ExportJob.model_validate(given_keys)


def problem_of(blob: str, **more: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        job(blob, **more)
    (problem,) = caught.value.errors(include_url=False)
    return problem["msg"].removeprefix("Value error, blob: ")


@pytest.mark.parametrize(
    "blob",
    [
        *("../{window_start}", "/{window_start}", "a//{window_start}", "./{window_start}", "{window_start}/", "a/../b"),
        *("{window_start}.", "a./{window_start}", "{table}/{window_start}"),
    ],
)
def test_a_name_that_leaves_its_container_or_folder_is_refused(blob: str) -> None:
    table = ".." if "{table}" in blob else "t"
    more = {} if "{window_start}" in blob else {"if_exists": "replace", "window": None}
    assert "path segment" in problem_of(blob, table=table, **more)


@pytest.mark.parametrize("character", ["\\", "\0", "\n", "\x7f", "\u202e", "\u2028"])
def test_a_name_with_a_character_that_misleads_is_refused(character: str) -> None:
    assert "backslashes or control characters" in problem_of("a" + character + "{window_start}")


def test_the_name_of_a_table_gets_no_further_than_the_template_would() -> None:
    assert "path segment" in problem_of("{table}/{window_start}", table="a/../../b")
    assert "control characters" in problem_of("{table}/{window_start}", table="a\nb")


def test_names_may_hold_spaces_and_any_language() -> None:
    expected = "表 1?#%2e/20260131"
    made = job("{table}?#%2e/{window_start:%Y%m%d}", table="表 1")
    assert made.blob_for(window_start=date(2026, 1, 31), window_end=date(2026, 2, 1)) == expected


def test_a_name_is_too_long_even_if_only_its_longest_number_makes_it_so() -> None:
    assert "1 to 1,024 characters" in problem_of("x" * 1010 + "{window_start}", window=NUMBERS)


@pytest.mark.parametrize(
    ("blob", "expected"),
    [
        ("{windowstart}", "{windowstart} is not known here"),
        ("{query}/{window_start}", "{query} is not known here; this job may use {job}, {schema}, {table}"),
        ("{run}/{window_start}", "{run} is not known here"),
        ("{window_start.__class__}", "is not a placeholder; no attributes, indexes or conversions"),
        ("{window_start[0]}", "is not a placeholder; no attributes, indexes or conversions"),
        ("{window_start!r}", "is not a placeholder; no attributes, indexes or conversions"),
        ("{0}", "is not a placeholder; no attributes, indexes or conversions"),
        ("{}", "is not a placeholder; no attributes, indexes or conversions"),
        ("{window_start:%Y%m%d{job.__class__}}", "is not a placeholder; none can stand inside another"),
        ("{window_start:%Y%m%d{job}}", "is not a placeholder; none can stand inside another"),
        ("{window_start", "write {{ or }} for a brace of the name"),
        ("}{window_start}", "write {{ or }} for a brace of the name"),
        ("{job:>20}{window_start}", "{job} takes no format"),
        ("{window_start:%y%m%d}", "%y is not allowed; use some of %F %G"),
        ("{window_start:%s}", "%s is not allowed"),
        ("{window_start:%}", "% is not allowed"),
        ("{window_start:%-d}", "%- is not allowed"),
    ],
)
def test_a_placeholder_that_is_unknown_or_does_more_than_it_may_is_refused(blob: str, expected: str) -> None:
    assert expected in problem_of(blob)


def test_a_brace_that_is_meant_is_written_twice() -> None:
    made = job("{{job}}/{window_start:%F}")
    assert made.blob_for(window_start=date(2026, 1, 31), window_end=date(2026, 2, 1)) == "{job}/2026-01-31"


@pytest.mark.parametrize(
    ("every", "template", "lacking"),
    [
        ("1 day", "{window_start:%Y/%m}", "day"),
        ("1 day", "{window_start:%m/%d}", "year"),
        ("1 day", "{window_start:%Y-%V}", "month and day"),
        ("1 day", "{window_start:%d}-{window_end:%Y-%m}", "day"),
        ("1 week", "{window_start:%Y-%V}", "month and day"),
        ("1 month", "{window_start:%Y}", "month"),
        ("1 hour", "{window_start:%F}", "hour"),
        ("15 minutes", "{window_start:%FT%H}", "minute"),
        ("1 day", "fixed", "year and month and day"),
        ("1 day", "{window_start:%j}", "year"),
        ("1 hour", "{window_start:%G-%V-%u}", "hour"),
    ],
)
def test_a_template_that_does_not_distinguish_two_windows_is_refused_with_what_it_lacks(
    every: str, template: str, lacking: str
) -> None:
    problem = problem_of(template, window={**DAILY, "every": every})
    assert problem.endswith(f"{{window_start}} must also write the {lacking}")


@pytest.mark.parametrize("template", ["x/{window_end}", "x/{window_start:012d}", "x/{window_start}"])
def test_numbers_may_be_padded_and_either_bound_names_a_window(template: str) -> None:
    assert job(template, window=NUMBERS)


@pytest.mark.parametrize("template", ["x", "x/{window_start:.1e}", "x/{window_start:c}", "x/{window_start:%Y}"])
def test_numbers_in_a_form_that_could_repeat_are_refused(template: str) -> None:
    assert problem_of(template, window=NUMBERS)


@pytest.mark.parametrize(
    ("schedule", "template", "fits"),
    [
        ("0 0 2 * * *", "{run:%F}", True),
        ("0 0 2 * * *", "{run:%Y-%m}", False),
        ("0 0 2,14 * * *", "{run:%F}", False),
        ("0 0 2,14 * * *", "{run:%FT%H}", True),
        ("0 0 0 29 2 MON", "{run:%Y-%m}", True),
        (None, "{run:%FT%R}", False),
        (None, "{run:%FT%T}", True),
        (None, "latest", False),
    ],
)
def test_runs_without_windows_are_distinguished_as_finely_as_their_schedule(
    schedule: str | None, template: str, fits: bool
) -> None:
    if fits:
        assert job(template, window=None, schedule=schedule)
    else:
        assert "two runs would get the same name" in problem_of(template, window=None, schedule=schedule)


def test_a_job_that_replaces_may_always_use_one_name() -> None:
    assert job("latest.csv.gz", window=None, if_exists="replace").blob_for(run=datetime.now(UTC)) == "latest.csv.gz"


def test_a_job_that_replaces_still_needs_a_name_for_each_window() -> None:
    assert "two windows of a day" in problem_of("latest.csv.gz", if_exists="replace")


DIRECTIVES = ["Y", "m", "d", "H", "M", "S", "F", "T", "R", "j", "G", "V", "u"]
SPECS = st.lists(st.sampled_from(DIRECTIVES), min_size=0, max_size=6).map(lambda ds: "-".join(f"%{d}" for d in ds))
PLACES = st.lists(st.tuples(st.sampled_from(["window_start", "window_end"]), SPECS), min_size=1, max_size=2)
STEPS = st.sampled_from(
    ["1 minute", "15 minutes", "1 hour", "12 hours", "1 day", "3 days", "1 week", "2 weeks", "1 month", "3 months"]
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@example("1 week", [("window_start", "%G-%V")], "Europe/Berlin", "timestamptz", datetime(2026, 12, 25))  # noqa: DTZ001
@example("1 day", [("window_start", "%F")], "America/Sao_Paulo", "timestamptz", datetime(2018, 11, 1))  # noqa: DTZ001
@example("1 day", [("window_end", "%Y%j")], "Atlantic/Azores", "timestamp", datetime(2026, 10, 20))  # noqa: DTZ001
@example("1 month", [("window_start", "%Y%m")], "Pacific/Apia", "date", datetime(2011, 11, 1))  # noqa: DTZ001
@given(
    STEPS,
    PLACES,
    st.sampled_from(ZONES),
    st.sampled_from(["timestamptz", "timestamp", "date"]),
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001
)
def test_a_template_that_is_accepted_never_gives_two_windows_one_name(
    every: str, places: list[tuple[str, str]], zone: str, kind: str, near: datetime
) -> None:
    within_a_day = every.split()[1].startswith(("minute", "hour"))
    grid = {"column": "c", "type": kind, "every": every, "timezone": "UTC" if within_a_day else zone}
    template = "x" + "".join(f"/{{{name}:{spec}}}" if spec else f"/{{{name}}}" for name, spec in places)
    try:
        made = job(template, window=grid)
    except ValidationError:
        return
    assert isinstance(made.window, TimeGrid)
    names = {}
    for years in (0, 1, 10):  # a name that comes back comes back in the same season
        since = (near + timedelta(days=365.2425 * years)).replace(tzinfo=UTC)
        until = since + 40 * made.window.every.shortest
        for window in windows_between(made.window, since, until):
            names[window.interval] = made.blob_for(window_start=window.start, window_end=window.end)
    assert len(names) > 60
    assert len(set(names.values())) == len(names)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=40))
def test_a_blob_name_that_is_accepted_stays_one_relative_path(value: str) -> None:
    try:
        name = blob_name(value)
    except ValueError:
        return
    assert name == value
    assert not name.startswith("/")
    assert not {"", ".", ".."} & set(name.split("/"))
    assert name.isprintable()
