"""The message body: valid ones are accepted, others refused before any work."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import RequestInvalid
from contracts.request import MAX_BODY_BYTES, ExportRequest, TableSource, parse_request
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow

BODY: dict[str, Any] = {
    "version": 1,
    "request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b",
    "job": "clicks",
    "source": {"kind": "table", "schema": "events", "table": "clicks"},
    "blob": "clicks/2026/01/31.csv.gz",
    "run": "2026-02-01T00:00:00Z",
}
WINDOW = {
    "type": "timestamptz",
    "column": "at",
    "start": "2026-01-31T00:00:00+01:00",
    "end": "2026-02-01T00:00:00+01:00",
}


def body(**more: Any) -> bytes:
    return json.dumps({**BODY, **more}).encode()


def refusal_of(data: bytes) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        parse_request(data)
    return caught.value


def test_a_request_may_write_booleans_and_whole_numbers_as_text() -> None:
    """As every version has read them; a jobs file may not."""
    read = parse_request(body(output={"header": "no", "verify": "off", "level": "3"}, streams="2", revision="4"))
    assert (read.output.header, read.output.verify, read.output.level) == (False, False, 3)
    assert (read.streams, read.revision) == (2, 4)


def test_a_request_comes_back_from_its_own_body() -> None:
    request = parse_request(body(window=WINDOW, revision=3, if_exists="replace", output={"delimiter": ";"}))
    assert parse_request(request.to_body()) == request


def test_bounds_with_a_zone_are_the_same_instants_in_utc() -> None:
    window = parse_request(body(window=WINDOW)).window
    assert isinstance(window, TimestamptzWindow)
    assert window.start.isoformat() == "2026-01-30T23:00:00+00:00"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "Invalid JSON: EOF"),
        (b"\xff\xfe", "Invalid JSON"),
        ('{"job": "é"}'.encode("latin-1"), "invalid unicode"),
        (json.dumps(BODY).encode("utf-16"), "Invalid JSON"),
        (b"\xef\xbb\xbf" + json.dumps(BODY).encode(), "Invalid JSON"),
        (b"null", "must be an object"),
        (b"[]", "must be an object"),
        (b'"text"', "must be an object"),
        (json.dumps(BODY).encode()[:-1], "EOF"),
        (json.dumps(BODY).encode() + b"{}", "trailing characters"),
        (json.dumps({**BODY, "blob": "\ud800"}).encode(), "hex escape"),
        (b"[" * 150 * 1024, "recursion limit"),
        (b'{"a":' * (30 * 1024) + b"1" + b"}" * (30 * 1024), "recursion limit"),
        (body(source={"kind": "table", "schema": "s", "table": "t"}).replace(b'"t"', b"[" * 150_000), "recursion"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_json_object_is_refused(data: bytes, expected: str) -> None:
    refused = refusal_of(data)
    assert refused.reason == "InvalidRequest"
    assert expected in str(refused)
    assert len(str(refused)) < 500


@pytest.mark.parametrize("data", [b"[" * 200 * 1024, b" " * (MAX_BODY_BYTES + 1)])
def test_a_body_larger_than_any_request_is_not_even_parsed(data: bytes) -> None:
    assert refusal_of(data).reason == "MessageTooLarge"


@pytest.mark.parametrize("version", [2, 0, "1", None, [1]])
def test_another_version_says_which_worker_to_deploy(version: object) -> None:
    refused = refusal_of(body(version=version))
    assert refused.reason == "UnknownVersion"
    assert "understands version 1" in str(refused)


def test_a_newer_version_is_distinguished_from_garbage_whatever_else_it_holds() -> None:
    assert refusal_of(body(version=2, columns=[], source={"kind": "lake"})).reason == "UnknownVersion"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"sql": "select 1"}, "sql: unknown key"),
        ({"source": {"kind": "table", "schema": "s", "table": "t", "where": "1=1"}}, "source.where: unknown key"),
        ({"source": {"kind": "sql", "text": "select 1"}}, "source.kind: must be one of 'table', 'query'"),
        ({"source": {"schema": "s", "table": "t"}}, "source.kind: missing"),
        ({"source": {"kind": "query", "name": "../x"}}, "source.name: it has 1 to 63 letters"),
        ({"source": {"kind": "table", "schema": "s", "table": "x" * 64}}, "source.table: an identifier has 1 to 63"),
        ({"source": {"kind": "table", "schema": "", "table": "t"}}, "source.schema: an identifier has 1 to 63"),
        ({"source": {"kind": "table", "schema": "s", "table": "a\0b"}}, "source.table: an identifier cannot contain"),
        ({"source": {"kind": "table", "schema": "s", "table": "t", "columns": ["a"] * 1601}}, "source.columns: Tuple"),
        ({"source": {"kind": "table", "schema": "s", "table": "t", "columns": []}}, "source.columns: Tuple"),
        ({"job": "a b"}, "job: it has 1 to 63 letters"),
        ({"job": "a\n"}, "job: it has 1 to 63 letters"),
        ({"request_id": "1"}, "request_id: it should be a valid UUID"),
        ({"revision": 0}, "revision: it should be greater"),
        ({"run": "2026-02-01T00:00:00"}, "run: it should have timezone info"),
        ({"run": 1_700_000_000}, "run: a time is written as text"),
        ({"run": "1700000000"}, "run: a time is written as text"),
        ({"run": "0001-01-01T00:00:00+14:00"}, "run: in UTC this time is outside"),
        ({"if_exists": "append"}, "if_exists: it should be"),
        ({"output": {"delimiter": ",,"}}, "output.delimiter: a delimiter is one"),
        ({"output": {"delimiter": "é"}}, "output.delimiter: a delimiter is one"),
        ({"output": {"delimiter": '"'}}, "output.delimiter: a delimiter is one"),
        ({"output": {"delimiter": "\0"}}, "output.delimiter: a delimiter is one"),
        ({"output": {"null": 'N"'}}, "output.null: the text for NULL cannot contain"),
        ({"output": {"null": "a,b"}}, "output: the text for NULL cannot contain the delimiter"),
        ({"output": {"format": "xlsx"}}, "output.format: it should be 'csv' or 'parquet'"),
        ({"output": {"bloom_filters": ["id"]}}, 'output: format = "csv" takes no bloom_filters'),
        ({"output": {"format": "parquet", "level": 3}}, 'output: format = "parquet" takes no level'),
        ({"output": {"dictionary": "id"}}, 'output.dictionary: write true, false, or a list of columns such as ["id"'),
        ({"output": {"statistics": []}}, "output.statistics: a list names columns, and at least one"),
        ({"output": {"statistics": ["a", 1]}}, "output.statistics: a list names columns, and at least one"),
        ({"output": {"dictionary": ["a", "b", "a"]}}, "output.dictionary: column 'a' is named twice"),
        ({"output": {"dictionary": ["x" * 64]}}, "output.dictionary: an identifier has 1 to 63 bytes"),
        ({"output": {"bloom_filters": True}}, "output.bloom_filters: write a list of columns such as"),
        ({"output": {"bloom_filters": {}}}, "output.bloom_filters: write a list of columns such as"),
        (
            {"output": {"bloom_filters": {"id": 0}}},
            "output.bloom_filters: 'id': a false-positive probability is",
        ),
        ({"output": {"bloom_filters": {"id": "1%"}}}, "output.bloom_filters: 'id': a false-positive probability is"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(more: dict[str, Any], expected: str) -> None:
    assert f"no valid request: {expected}" in str(refusal_of(body(**more)))


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a//b", "a/./b", "a/../b", "a/", "..", "a\\b", "a\nb", "x" * 1025, "", "a./b", "a/" * 254 + "b"],
)
def test_a_blob_name_that_escapes_is_refused(name: str) -> None:
    assert "blob: a blob name" in str(refusal_of(body(blob=name)))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({**WINDOW, "start": WINDOW["end"]}, "window: a window's start must be before its end"),
        ({**WINDOW, "start": "2026-03-01T00:00:00Z"}, "window: a window's start must be before its end"),
        ({**WINDOW, "start": "2026-01-31T00:00:00"}, "window.start: it should have timezone info"),
        ({**WINDOW, "type": "timestamp"}, "window.start: it should not have timezone info"),
        ({**WINDOW, "type": "date"}, "window.start: a day is written as 2026-01-31"),
        ({**WINDOW, "type": "integer"}, "window.start: it should be a valid integer"),
        ({**WINDOW, "type": "text"}, "window.type: must be one of"),
        ({"type": "integer", "column": "id", "start": 1.0, "end": 2}, "window.start: it should be a valid integer"),
        ({"type": "integer", "column": "id", "start": "1", "end": 2}, "window.start: it should be a valid integer"),
        ({"type": "integer", "column": "id", "start": 0, "end": 2**63}, "window.end: it should be less than"),
        ({"type": "integer", "column": "", "start": 0, "end": 1}, "window.column: an identifier has"),
        ({"type": "date", "column": "d", "start": 20_000, "end": 20_001}, "window.start: a day is written"),
        ({**WINDOW, "inclusive": True}, "window.inclusive: unknown key"),
    ],
)
def test_a_window_that_is_backwards_or_means_no_one_interval_is_refused(window: dict[str, Any], expected: str) -> None:
    assert expected in str(refusal_of(body(window=window)))


@pytest.mark.parametrize(
    "more",
    [
        {"source": {"kind": "S3cret"}},
        {"S3cret" * 20_000: 1},
        {"job": "S3cret password"},
        {"window": {**WINDOW, "start": "S3cret"}},
        {"blob": "S3cret/../x"},
    ],
)
def test_a_refusal_names_fields_and_repeats_no_value_of_any_length(more: dict[str, Any]) -> None:
    refusal = str(refusal_of(body(**more)))
    assert "S3cret password" not in refusal
    assert "S3cret/" not in refusal
    assert "'S3cret'" not in refusal
    assert len(refusal) < 1000


TEXT = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and len(text.encode()) <= 63)
WINDOWS = st.one_of(
    st.none(),
    st.builds(
        lambda column, start, size: IntegerWindow(column=column, start=start, end=start + size),
        TEXT,
        st.integers(-(2**63), 2**62),
        st.integers(1, 2**62),
    ),
    st.builds(
        lambda column, days: DateWindow(column=column, start=min(days), end=max(days)),
        TEXT,
        st.lists(st.dates(), min_size=2, max_size=2, unique=True),
    ),
    st.builds(
        lambda column, times: TimestampWindow(column=column, start=min(times), end=max(times)),
        TEXT,
        st.lists(st.datetimes(), min_size=2, max_size=2, unique=True),
    ),
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(TEXT, TEXT, WINDOWS)
def test_any_identifiers_and_windows_survive_the_way_over_the_wire(schema: str, table: str, window: object) -> None:
    source = TableSource(schema_name=schema, table=table)
    request = ExportRequest.model_validate({**BODY, "source": source, "window": window})
    assert parse_request(request.to_body()) == request


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_the_bytes_are_the_answer_is_a_refusal(data: bytes) -> None:
    assert refusal_of(data).reason == "InvalidRequest"


def test_an_older_producers_parts_are_the_streams_of_a_request() -> None:
    request = parse_request(body(parts=3))
    assert request.streams == 3
    assert json.loads(request.to_body())["streams"] == 3


@pytest.mark.parametrize("key", ["dictionary", "statistics", "bloom_filters"])
def test_columns_of_a_parquet_file_travel_with_the_request(key: str) -> None:
    request = parse_request(body(output={"format": "parquet", key: ["id", "Größe"]}))
    assert parse_request(request.to_body()) == request
    assert list(request.output.named_columns) == [(key, "id"), (key, "Größe")]


def test_each_bloom_filter_has_its_probability_or_the_default() -> None:
    named, given = (
        parse_request(body(output={"format": "parquet", "bloom_filters": filters})).output.false_positives
        for filters in (["id"], {"id": 0.05, "kind": 0.1})
    )
    assert (named, given) == ({"id": 0.01}, {"id": 0.05, "kind": 0.1})
