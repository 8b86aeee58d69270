"""Messages of any kind: no crash, no unclassified dead letter, no second statement, one line for a person.

`make chaos BODIES=50000` tries so many.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from chaos.inputs import BODIES, LEAVES, VALID, VALUES, dumped, few, pure, served
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import sql

from contracts.errors import RequestInvalid
from contracts.message import attempt_of, body_of, job_of, lineage_of, request_id_of, trace_of, waits_since_of, why_of
from contracts.reasons import is_permanent
from contracts.request import parse_request
from settings import Settings
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, handle_message
from worker.message.settlement import Complete, DeadLetter

pytestmark = pytest.mark.timeout(0)  # as many examples as somebody asks for


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


def test_any_identifier_stays_an_identifier(worker: Worker, admin: psycopg.Connection) -> None:
    """Tables that do exist, with names that are SQL: their rows come, and nothing else happens."""

    @few
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
