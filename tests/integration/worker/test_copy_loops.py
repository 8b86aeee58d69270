"""Rows of a COPY joined to chunks, by the loop in C and by the one in Python: the same bytes, counts and errors."""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import pq

from contracts.errors import ExportInterrupted
from worker.blob.buffers import CHUNK_BYTES
from worker.cancellation import Cancellation
from worker.native import library
from worker.source.copy_out import copy_out


@pytest.fixture(params=["c", "python"], autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "python":
        monkeypatch.setattr(library, "_loaded", lambda: "switched off")
    return request.param


@pytest.fixture
def connection(stack: object, database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(**stack.postgres.parameters("postgres", database), autocommit=True) as opened:
        yield opened


def chunks_of(
    connection: psycopg.Connection, select: str, cancelled: Cancellation | None = None
) -> tuple[list[bytes], int]:
    """Copies of the chunks, and the count of rows."""
    with copy_out(
        connection,
        f"COPY ({select}) TO STDOUT (FORMAT csv)".encode(),
        header=False,
        cancelled=cancelled or Cancellation(),
    ) as copy:
        chunks = [bytes(chunk) for chunk in copy.chunks()]
    assert copy.bytes == sum(map(len, chunks))
    return [chunk for chunk in chunks if chunk], copy.rows


def test_the_loop_in_c_is_built_and_used_here(loop: str) -> None:
    assert (library.why_not() is None) is (loop == "c")


def test_chunks_are_whole_whatever_the_rows_are_like(connection: psycopg.Connection) -> None:
    """Rows of 1 byte, of several chunks, and rows that end with a chunk."""
    sizes = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5, *range(100, 120), CHUNK_BYTES // 2 - 1]
    chunks, rows = chunks_of(
        connection, f"SELECT repeat(chr(97 + n::int % 26), s) FROM unnest(array{sizes}) WITH ORDINALITY AS t (s, n)"
    )
    expected = b"".join((bytes([97 + n % 26]) * size or b'""') + b"\n" for n, size in enumerate(sizes, 1))
    assert b"".join(chunks) == expected
    assert [len(chunk) for chunk in chunks[:-1]] == [CHUNK_BYTES] * (len(expected) // CHUNK_BYTES)
    assert rows == len(sizes)


def test_no_rows(connection: psycopg.Connection) -> None:
    assert chunks_of(connection, "SELECT 1 WHERE false") == ([], 0)


def test_an_error_in_the_middle_of_the_rows_is_raised(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        chunks_of(connection, "SELECT 1 / (200000 - n) FROM generate_series(1, 300000) n")
    assert chunks_of(connection, "SELECT 1") == ([b"1\n"], 1)


def test_notices_between_rows_reach_their_handler(connection: psycopg.Connection) -> None:
    """libpq calls psycopg back out of the loop."""
    connection.execute(
        "create function noisy(n int) returns int language plpgsql as"
        " $$ begin if n % 1000 = 0 then raise notice 'at %', n; end if; return n; end $$"
    )
    heard: list[str | None] = []
    connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    _, rows = chunks_of(connection, "SELECT noisy(n) FROM generate_series(1, 5000) n")
    assert rows == 5000
    assert heard == [f"at {n}" for n in range(1000, 6000, 1000)]


def test_a_lost_connection_is_an_error(connection: psycopg.Connection, admin: psycopg.Connection) -> None:
    with copy_out(
        connection,
        b"COPY (SELECT n, pg_sleep(0.001) FROM generate_series(1, 1000000) n) TO STDOUT",
        header=False,
        cancelled=Cancellation(),
    ) as copy:
        reading = copy.chunks()
        admin.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            list(reading)
    assert connection.closed


@pytest.mark.parametrize("pause", ["0.001", "60 * (n / 3)", "60"])
def test_an_export_that_trickles_or_waits_is_cancelled_within_seconds(
    connection: psycopg.Connection, pause: str
) -> None:
    cancelled = Cancellation()
    timer = threading.Timer(0.3, cancelled.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(ExportInterrupted):
        chunks_of(connection, f"SELECT repeat('x', 9000), pg_sleep({pause}) FROM generate_series(1, 9999) n", cancelled)
    assert time.monotonic() - began < 10
    assert connection.info.transaction_status is pq.TransactionStatus.IDLE


def test_the_connection_survives_leaving_early(connection: psycopg.Connection) -> None:
    def first_chunk(select: str) -> None:
        with copy_out(
            connection, f"COPY ({select}) TO STDOUT".encode(), header=False, cancelled=Cancellation()
        ) as copy:
            raise LookupError(bytes(next(copy.chunks())))

    for select in (
        "repeat('x', 100) FROM generate_series(1, 100000)",
        "repeat('x', 10000000) FROM generate_series(1, 3)",
    ):
        with pytest.raises(LookupError) as raised:
            first_chunk(f"SELECT {select}")
        assert len(raised.value.args[0]) == CHUNK_BYTES
    assert chunks_of(connection, "SELECT 1") == ([b"1\n"], 1)


def test_threads_read_side_by_side(stack: object, database: str, loop: str) -> None:
    """Each has its own connection, buffer and count."""
    found: dict[int, tuple[list[bytes], int]] = {}

    def read(number: int) -> Callable[[], None]:
        def run() -> None:
            with psycopg.connect(**stack.postgres.parameters("postgres", database), autocommit=True) as own:
                found[number] = chunks_of(own, f"SELECT {number}, n FROM generate_series(1, 100000) n")

        return run

    threads = [threading.Thread(target=read(number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        chunks, rows = found[number]
        assert rows == 100_000
        assert b"".join(chunks) == b"".join(b"%d,%d\n" % (number, n) for n in range(1, 100_001))
