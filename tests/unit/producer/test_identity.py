"""Ids and names that are made for many windows at once are those that are made one at a time."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from producer.identity import identified, request_id
from producer.windows import integer_windows_between, windows_between

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Atlantic/Azores"]
FORMS = [
    *("{window_start}", "{window_end}", "{window_start:%Y/%m/%d/%H%M}", "{window_start:%F}T{window_end:%T}"),
    *("{window_start:%Y%m%d %R} 100%", "{window_start:%Y/%j}", "{window_start:%G-W%V}/{window_start:%Y%m%d}"),
    *("{{x}}/%s/{window_start:%d.%m.%Y}", "{job}-{schema}/{table}/{window_start:%Y-%m}-{window_end:%d}"),
]


def job(blob: str, window: dict[str, Any], **more: Any) -> ExportJob:
    keys = {"name": "a.b", "schema": "50% s", "table": 't"ä', "blob": blob, "window": window, **more}
    return ExportJob.model_validate(keys)


def agrees(made: ExportJob, windows: list[Any]) -> None:
    found = list(identified(made, windows))
    assert [window for window, _, _ in found] == windows
    assert [name for _, name, _ in found] == [
        made.blob_for(window_start=window.start, window_end=window.end) for window in windows
    ]
    assert [id_ for _, _, id_ in found] == [request_id(made, window.interval).int for window in windows]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@example("1 day", "Pacific/Apia", "timestamptz", FORMS[0], datetime(2011, 12, 25), 1)  # noqa: DTZ001
@given(
    st.sampled_from(["15 minutes", "1 hour", "1 day", "2 weeks", "1 month"]),
    st.sampled_from(ZONES),
    st.sampled_from(["timestamptz", "timestamp", "date"]),
    st.sampled_from(FORMS),
    st.datetimes(datetime(1000, 1, 2), datetime(9000, 1, 1)),  # noqa: DTZ001
    st.integers(1, 3),
)
def test_windows_of_times_are_called_as_one_at_a_time(
    every: str, zone: str, kind: str, blob: str, since: datetime, revision: int
) -> None:
    within_a_day = every.endswith(("minutes", "hour"))
    window = {"column": 'Größe "x"', "type": kind, "every": every, "timezone": "UTC" if within_a_day else zone}
    try:
        made = job(blob, {**window, "catch_up": "2 days"}, revision=revision)
    except ValidationError:
        return
    assert isinstance(made.window, TimeGrid)
    begin = since.replace(tzinfo=UTC)
    windows = list(islice(windows_between(made.window, begin, begin + timedelta(days=800)), 12))
    assert windows
    agrees(made, windows)
    agrees(made, windows[::-1])  # as a backfill of the newest first has them


@pytest.mark.parametrize("spec", ["", ":d", ":012d", ":012"])
def test_windows_of_numbers_are_called_as_one_at_a_time(spec: str) -> None:
    made = job(f"x/{{window_start{spec}}}%", {"column": "id", "type": "integer", "size": 7})
    numbers: Any = made.window
    starts = (-30, 10**12, 2**62)
    agrees(made, [window for start in starts for window in integer_windows_between(numbers, start, start + 30)])
