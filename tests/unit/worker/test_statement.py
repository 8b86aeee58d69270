"""Names and bounds in SQL are always quoted."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from contracts.errors import SourceRejected
from contracts.output import Output
from contracts.request import ExportRequest, QuerySource, Source, TableSource
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window
from worker.source.statement import copy_statement, select_statement

WINDOW = IntegerWindow(column="id", start=5, end=10)


def request(source: Source, window: Window | None = None) -> ExportRequest:
    run = datetime(2026, 1, 1, tzinfo=UTC)
    return ExportRequest(request_id=UUID(int=1), job="j", source=source, window=window, blob="b", run=run)


def table(window: Window | None = None, **more: Any) -> str:
    source = TableSource.model_validate({"schema": "s", "table": "t", **more})
    return select_statement(request(source, window)).as_string()


def query(text: str, window: Window | None = None) -> str:
    return select_statement(request(QuerySource(name="j"), window), text).as_string()


def test_hostile_names_stay_names() -> None:
    text = table(table='x"; drop table y; --', columns=['a"', "b, c", "%s", "{}"])
    assert text == 'SELECT "a""", "b, c", "%s", "{}" FROM "s"."x""; drop table y; --"'


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(min_size=1, max_size=15).filter(lambda text: "\0" not in text))
def test_no_name_can_end_its_own_quotes(name: str) -> None:
    text = table(table=name)
    quoted = text.removeprefix('SELECT * FROM "s"."').removesuffix('"')
    assert quoted.replace('""', "").count('"') == 0
    assert quoted.replace('""', '"') == name


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (WINDOW, '"id" >= 5 AND "id" < 10'),
        (
            DateWindow(column='d"', start=date(2026, 1, 1), end=date(2026, 1, 2)),
            '"d""" >= \'2026-01-01\'::date AND "d""" < \'2026-01-02\'::date',
        ),
        (
            TimestampWindow(column="t", start=datetime(2026, 1, 1), end=datetime(2026, 1, 1, 0, 0, 0, 1)),  # noqa: DTZ001
            "\"t\" >= '2026-01-01 00:00:00'::timestamp AND \"t\" < '2026-01-01 00:00:00.000001'::timestamp",
        ),
        (
            TimestamptzWindow(column="t", start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC)),
            "\"t\" >= '2026-01-01 00:00:00+00:00'::timestamptz AND \"t\" < '2026-01-02 00:00:00+00:00'::timestamptz",
        ),
    ],
)
def test_a_window_is_half_open_in_the_type_of_its_column(window: Window, expected: str) -> None:
    assert table(window).split(" WHERE ")[1] == expected


def test_a_query_without_bounds_is_filtered_by_its_window() -> None:
    assert (
        query("select 1 as id;", WINDOW) == 'SELECT * FROM (\nselect 1 as id\n) AS query WHERE "id" >= 5 AND "id" < 10'
    )


def test_a_query_may_place_its_bounds_anywhere() -> None:
    text = query("select * from f({window_start}, {window_end}) where a > {window_start}", WINDOW)
    assert text == "SELECT * FROM (\nselect * from f(5, 10) where a > 5\n) AS query"


def test_nothing_else_in_a_query_is_touched() -> None:
    text = "select '{}' as a, '{0}' as b, '%s %% %(x)s' as c, '{window_begin}' as d -- {{window_start}"
    assert (
        query(text.replace("{{window_start}", "end"))
        == f"SELECT * FROM (\n{text.replace('{{window_start}', 'end')}\n) AS query"
    )


def test_a_comment_on_the_last_line_does_not_swallow_the_bracket() -> None:
    assert query("select 1 -- all").endswith("-- all\n) AS query")


def test_bounds_without_a_window_have_their_own_reason() -> None:
    """A worker whose jobs.toml is newer than the producer's."""
    with pytest.raises(SourceRejected) as caught:
        query("select {window_start}")
    assert str(caught.value.advice).startswith("deploy the jobs.toml")
    assert caught.value.reason == "WindowMissing"


def test_output_options_are_quoted() -> None:
    text = copy_statement(sql.SQL("SELECT 1"), Output(delimiter="'", null="\\N"), header=False).as_string()
    assert text == r"COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER false, DELIMITER '''', NULL  E'\\N')"
