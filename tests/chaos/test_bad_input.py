"""Whatever comes in: no crash, no unclassified dead letter, no second statement, one line for a person.

CHAOS_EXAMPLES is how many inputs each test tries; `make chaos BODIES=50000` sets it.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from contracts.errors import ConfigurationError, RequestInvalid
from contracts.jobs_file import load_jobs, parse_jobs
from contracts.message import attempt_of, body_of, job_of, lineage_of, request_id_of, trace_of, waits_since_of, why_of
from contracts.reasons import is_permanent
from contracts.receipt import Receipt
from contracts.request import parse_request
from producer.facts import Present
from producer.submit import submit_over_http
from settings import Settings
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, handle_message
from worker.message.settlement import Complete, DeadLetter

pytestmark = pytest.mark.timeout(0)  # as many examples as somebody asks for
EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "300"))
# Bodies that reach the servers are slower than those that do not: a fifth of the examples.
pure = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
served = settings(max_examples=max(60, EXAMPLES // 5), deadline=None, suppress_health_check=list(HealthCheck))

VALID: dict[str, Any] = {
    "version": 1,
    "request_id": "00000000-0000-4000-8000-000000000007",
    "job": "j",
    "source": {"kind": "table", "schema": "public", "table": "t", "columns": ["id"]},
    "window": {"type": "integer", "column": "id", "start": 0, "end": 10},
    "blob": "x/1.csv.gz",
    "run": "2026-02-01T00:00:00Z",
    "revision": 1,
    "if_exists": "replace",
    "output": {"compression": "gzip", "header": True, "delimiter": ",", "null": ""},
    "closing": {"by": "delay", "wait_seconds": 5},
}
NASTY = (
    "", "'", '"', '"; drop table t; --', "x'||pg_sleep(9)||'", "\0", "\ud800", "a" * 64, "日本", "%s", "{}", "$1",
    "\\", "../x", "t; select 1", "public.t", "\n", "\r\n", "NaN", "1e999", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00", "2026-13-01",
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(NASTY)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, valid: dict[str, Any]) -> dict[str, Any]:
    """A valid document with up to three changes anywhere: a value replaced, a key dropped, a key added."""
    document = json.loads(json.dumps(valid))
    for _ in range(draw(st.integers(1, 3))):
        inner = document
        while nested := [key for key, value in inner.items() if isinstance(value, dict) and value]:
            if draw(st.booleans()):
                break
            inner = inner[draw(st.sampled_from(nested))]
        key = draw(st.sampled_from(sorted(inner)) if inner else st.just("x"))
        match draw(st.integers(0, 2)):
            case 0:
                inner[key] = draw(VALUES)
            case 1:
                inner.pop(key, None)
            case _:
                inner[draw(st.text(max_size=12))] = draw(VALUES)
    return document


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


BODIES = (
    changed(VALID).map(dumped)
    | st.binary(max_size=300)
    | VALUES.map(dumped)
    | st.tuples(st.just(dumped(VALID)), st.integers(0, 600), st.binary(min_size=1, max_size=3)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
)


@pytest.fixture
def worker(environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path) -> Iterator[Worker]:
    """On real servers, with the table `t` of ten rows."""
    admin.execute("create table t as select n as id, 'w' || n as word from generate_series(0, 9) as n")
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(
        '[[job]]\nname = "j"\nschema = "public"\ntable = "t"\nblob = "j/{window_start}.csv.gz"\n'
        'window = { column = "id", type = "integer", size = 10 }\n'
    )
    with open_worker(Settings.from_env({**environ, "TAILRACE_JOBS": str(jobs)})) as opened:
        yield opened


def test_any_body_is_exported_or_dead_lettered_with_a_known_reason_on_one_line(
    worker: Worker, admin: psycopg.Connection
) -> None:
    seen: set[str] = set()

    @served
    @given(BODIES)
    @example(dumped(VALID))
    def settles(body: bytes) -> None:
        settlement = handle_message(Delivery(body, "m", 1, 1), worker, Cancellation())
        assert isinstance(settlement, Complete | DeadLetter), settlement
        if isinstance(settlement, DeadLetter):
            seen.add(settlement.reason)
            assert is_permanent(settlement.reason), settlement
            assert settlement.description
            assert "\n" not in settlement.description
            assert len(settlement.description) < 4096

    settles()
    assert "InvalidRequest" in seen
    assert admin.execute("select count(*), min(id), max(id) from t").fetchone() == (10, 0, 9)
    assert admin.execute("select count(*) from pg_stat_user_tables").fetchone() == (1,)


def test_any_body_is_read_and_written_alike_or_refused_on_one_line() -> None:
    refused: set[str] = set()

    @pure
    @given(BODIES)
    @example(dumped(VALID))
    def is_read(body: bytes) -> None:
        try:
            request = parse_request(body)
        except RequestInvalid as error:
            refused.add(error.reason)
            said = error.explained
        else:
            assert parse_request(request.to_body()) == request
            said = "read"
        assert "\n" not in said
        assert said.isprintable()

    is_read()
    assert refused >= {"InvalidRequest"}


PROPERTIES = st.dictionaries(
    st.sampled_from(["attempt", b"attempt", "job", "waits_since", b"heals", "job_version", "traceparent", "why"])
    | st.text(max_size=5),
    LEAVES | st.binary(max_size=20) | st.datetimes(),
    max_size=6,
)  # fmt: skip


@pure
@given(PROPERTIES, st.integers(0, 100), LEAVES | st.binary(max_size=20), VALUES | st.binary(max_size=60))
def test_any_properties_of_a_message_are_read_without_an_error(
    carried: dict[Any, object], redeliveries: int, message_id: object, body: object
) -> None:
    assert attempt_of(carried, redeliveries) >= 1
    assert 0 <= lineage_of(carried).heals < 1000
    assert job_of(carried) is None or isinstance(job_of(carried), str)
    moment = waits_since_of(carried)
    assert moment is None or moment.tzinfo is not None
    assert isinstance(trace_of(carried), dict)
    assert isinstance(why_of(carried), str | None)
    assert isinstance(body_of(body), bytes)
    assert isinstance(request_id_of(message_id, body), UUID | None)


JOB: dict[str, Any] = {
    "name": "clicks",
    "schema": "public",
    "table": "clicks",
    "columns": ["id", "at"],
    "blob": "{job}/{window_start:%Y/%m/%d}.csv.gz",
    "schedule": "0 0 3 * * *",
    "revision": 2,
    "if_exists": "refuse",
    "output": {"compression": "gzip", "level": 2},
    "window": {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "3 days", "delay": "1 hour"},
}


@pure
@given(st.lists(changed(JOB), min_size=1, max_size=3))
@example([{**JOB, "output": {"x\ny": 1}}])
@example([{**JOB, "window": {**JOB["window"], "type": "integer"}}])
def test_any_job_is_usable_or_refused_on_one_line_for_each_problem(jobs: list[dict[str, Any]]) -> None:
    said: list[str] = []
    try:
        parsed = parse_jobs({"job": jobs})
    except ConfigurationError as error:
        said = [problem.says for problem in error.problems]
        assert said  # either way is right
    else:
        said = [problem for one in parsed.disabled for problem in one.problems]
        assert len(parsed) + len(parsed.disabled) >= 1
    assert all(one.startswith("jobs.toml: ") and "\n" not in one for one in said)


@pure
@given(data=st.text(max_size=200) | st.binary(max_size=200))
@example(data="[[job]]\nname = 'a'\n")
@example(data=b"\xff")
@example(data="x = " + "[" * 2000)
def test_any_file_is_read_as_jobs_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: str | bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    try:
        load_jobs(file)
    except ConfigurationError as error:
        assert all(str(file) in problem.says for problem in error.problems)  # noqa: PT017  # any text may be right


METADATA = {
    "request_id": "00000000-0000-0000-0000-000000000007",
    "job": "j",
    "rows": "1",
    "csv_bytes": "10",
    "blob_bytes": "10",
    "parts": '[{"rows": 1, "csv_bytes": 10, "blob_bytes": 10, "sha256": "00"}]',
    "snapshot": "1:1:",
    "revision": "1",
    "run": "2026-02-01T00:00:00Z",
    "started_at": "2026-02-01T00:00:00Z",
    "exported_at": "2026-02-01T00:00:00Z",
    "window": '{"type": "integer", "column": "id", "start": 0, "end": 10}',
    "columns": "eJyLjlbKTFHSUUrKTE/PzNNRio0FAC8DBP0=",
    "output": "{}",
}


@pure
@given(st.dictionaries(st.sampled_from(sorted(METADATA)), st.text(max_size=60) | VALUES.map(json.dumps), max_size=3))
@example({})
@example({"parts": "[" * 100_000})
@example({"columns": "eJw="})
def test_any_metadata_is_a_receipt_or_none(changes: dict[str, str]) -> None:
    metadata = {**METADATA, **changes}
    receipt = Receipt.from_metadata(metadata)
    if receipt is not None:
        assert Receipt.from_metadata(receipt.to_metadata()) is not None
    present = Present.of(metadata)
    assert present.run is None or receipt is None or present.request_id == receipt.request_id


HTTP = st.binary(max_size=100) | VALUES.map(dumped) | changed({"job": "j", "window_start": "0"}).map(dumped)


def test_any_http_body_is_answered_in_json_and_a_refusal_is_one_line(
    environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path
) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(
        '[[job]]\nname = "j"\nschema = "public"\ntable = "t"\nblob = "j/{window_start}.csv.gz"\n'
        'window = { column = "id", type = "integer", size = 10 }\n'
    )
    known = Settings.from_env({**environ, "TAILRACE_JOBS": str(jobs)})
    assert tomllib.loads(jobs.read_text())

    @settings(served, max_examples=max(60, EXAMPLES // 50))
    @given(HTTP)
    def answers(body: bytes) -> None:
        answer = submit_over_http(body, known, datetime(2026, 2, 1, tzinfo=UTC))
        said = json.loads(answer.body)
        assert answer.status in {200, 202, 400, 409}, answer
        if answer.status == 400:
            assert said["error"]
            assert "\n" not in said["error"]

    answers()


def test_any_identifier_stays_an_identifier(worker: Worker, admin: psycopg.Connection) -> None:
    """Tables that do exist, with names that are SQL: their rows come, and nothing else happens."""

    @settings(served, max_examples=max(60, EXAMPLES // 50))
    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15))
    @example('"; drop table t; --')
    @example("a.b")
    def exports(name: str) -> None:
        admin.execute(sql.SQL("create table {} as select 1 as {}").format(sql.Identifier(name), sql.Identifier(name)))
        source = {"kind": "table", "schema": "public", "table": name, "columns": [name]}
        body = {key: value for key, value in VALID.items() if key != "window"}
        settlement = handle_message(
            Delivery(dumped({**body, "source": source, "request_id": str(UUID(int=hash(name) % 2**64))}), "m", 1, 1),
            worker,
            Cancellation(),
        )
        admin.execute(sql.SQL("drop table {}").format(sql.Identifier(name)))
        assert isinstance(settlement, Complete), settlement

    exports()
