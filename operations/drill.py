"""The drill: restores windows into a scratch table, and compares them with their receipts and with the source."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from connections.records import Records
from contracts import row_hash
from contracts.audit import DrillRecord
from contracts.errors import SinkRejected
from contracts.jobs_file import Jobs
from contracts.output import Output
from operations.blobs import Blobs
from operations.restore import RestoreRefused, create_table, restore_blob
from operations.windows import WindowBlob
from settings import Settings
from worker.cancellation import Cancellation
from worker.export import select_of
from worker.reread import hashed_text
from worker.source.snapshot import begin_statement


@dataclass(frozen=True, slots=True)
class Drilled:
    """What the drill of one window found: `problems` is empty if it is restorable.

    `source` is how it compares with the source: same, changed, or gone if the source has no rows of the window.
    """

    blob: str
    rows: int
    problems: tuple[str, ...]
    source: str


def drill(
    connection: psycopg.Connection[Any], blobs: Blobs, windows: Sequence[WindowBlob], jobs: Jobs
) -> Iterator[Drilled]:
    """Restores each window into a new table, compares, and drops it. The role must be able to create schemas."""
    with _scratch(connection) as schema:
        for number, window in enumerate(windows):
            yield _drill(connection, blobs, window, sql.Identifier(schema, f"w{number}"), jobs)


def remember(settings: Settings, windows: Sequence[WindowBlob], found: Sequence[Drilled], now: datetime) -> str | None:
    """Records a drill that proved all its windows restorable; returns why that cannot be written, if so.

    The first of `windows` is the newest.
    """
    newest = windows[0]
    rows = sum(one.rows for one in found)
    job = newest.request.job
    done = DrillRecord(job=job, at=now, windows=len(windows), rows=rows, newest=newest.start)
    try:
        Records(settings, "drills", DrillRecord).put(job, done, head=done.head)
    except SinkRejected as error:
        return str(error)
    return None


@contextmanager
def _scratch(connection: psycopg.Connection[Any]) -> Iterator[str]:
    name = f"tailrace_drill_{secrets.token_hex(6)}"
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield name
    finally:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def _drill(
    connection: psycopg.Connection[Any], blobs: Blobs, window: WindowBlob, target: sql.Identifier, jobs: Jobs
) -> Drilled:
    blob, request = window.blob, window.request
    assert blob is not None
    receipt = blob.receipt
    if receipt is None or receipt.columns is None:
        return Drilled(blob.name, 0, ("its receipt names no columns, so no table can be made for it",), "not compared")
    try:
        with connection.transaction():
            create_table(connection, target, receipt.columns, unlogged=True)
            restored = restore_blob(connection, blobs, blob, target)
    except RestoreRefused as error:
        return Drilled(blob.name, 0, (error.explained,), "not compared")
    output = receipt.output or request.output
    as_text = output if output.format == "csv" else Output()
    ours = _hash(connection, sql.SQL("SELECT * FROM {}").format(target), as_text)
    problems = []
    if output.format == "csv" and receipt.row_hash and ours[1] != receipt.row_hash:
        problems.append("the restored rows are not those that were exported: their hash differs")
    theirs = _hash(connection, select_of(request, jobs), as_text)
    source = "gone" if not theirs[0] and ours[0] else "same" if ours == theirs else "changed"
    return Drilled(blob.name, restored.rows, tuple(problems), source)


def _hash(connection: psycopg.Connection[Any], selected: sql.Composable, output: Output) -> tuple[int, str | None]:
    """Rows and hash of a SELECT, by the path that exports take."""
    connection.execute(begin_statement(0, 10_000))
    try:
        rows, hash_ = hashed_text(connection, selected, output, Cancellation())
        return rows, row_hash.written(hash_)
    finally:
        connection.execute("ROLLBACK")
