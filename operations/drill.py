"""The drill of one window: restores it into a scratch table, and compares it with its receipt and with the source."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contracts import row_hash
from contracts.jobs_file import Jobs
from contracts.receipt import Receipt
from operations.blobs import BlobReplaced, Blobs
from operations.comparing import Compared, compare
from operations.restore import How, restore_blob
from operations.target import RestoreRefused, create_table
from operations.windows import WindowBlob
from worker.cancellation import Cancellation
from worker.reread import hashed
from worker.source.pool import Source
from worker.source.snapshot import begin_statement, open_snapshot

_PREFIX = "tailrace_drill_"
# Takes the lock of each that nobody uses.
_LEFTOVERS = """
    WITH own AS MATERIALIZED (
        SELECT nspname::text AS name FROM pg_namespace
        WHERE starts_with(nspname::text, %s) AND pg_has_role(nspowner, 'USAGE'))
    SELECT name FROM own WHERE pg_try_advisory_lock(hashtext(name))"""


@dataclass(frozen=True, slots=True)
class Drilled:
    """What the drill of one window found: `problems` is empty if it is restorable. `source` is how it compares."""

    blob: str
    rows: int
    problems: tuple[str, ...]
    source: Compared


@dataclass(frozen=True, slots=True)
class Drill:
    """Where windows are restored to, and what they are compared with.

    `connection` is to the scratch server, in autocommit; its role must be able to create schemas. `is_source` says
    whether that is the source's database; `source` is None if the settings name none.
    """

    connection: psycopg.Connection[Any]
    blobs: Blobs
    jobs: Jobs
    source: Source | None
    is_source: bool

    def of(self, window: WindowBlob) -> Drilled:
        """Restores a window into a table, compares, and drops it. Raises psycopg's errors, SinkUnavailable."""
        blob, receipt = window.blob, window.blob.receipt if window.blob else None
        assert blob is not None
        if receipt is None or receipt.columns is None:
            says = "its receipt names no columns, so no table can be made for it"
            return Drilled(blob.name, 0, (says,), Compared("not compared"))
        with _scratch(self.connection) as schema:
            target = sql.Identifier(schema, "restored")
            try:
                with self.connection.transaction():
                    create_table(self.connection, target, receipt.columns, unlogged=True)
                    restored = restore_blob(self.connection, self.blobs, blob, target, How(mode="append"))
            except (RestoreRefused, BlobReplaced) as error:
                return Drilled(blob.name, 0, (error.explained,), Compared("not compared"))
            problems = tuple(self._against_receipt(target, window, receipt))
            here = self.connection if self.is_source else None
            found = compare(here, target, window.request, receipt, self.source, self.jobs)
        return Drilled(blob.name, restored.rows, problems, found)

    def _against_receipt(self, target: sql.Identifier, window: WindowBlob, receipt: Receipt) -> Iterator[str]:
        """Hashes the restored rows as the export hashed those of the source."""
        selected, output = sql.SQL("SELECT * FROM {}").format(target), receipt.output or window.request.output
        begin = begin_statement(0, 10_000)
        with open_snapshot(self.connection, begin, selected, target, "tailrace drill") as snapshot:
            rows, found = hashed(snapshot, selected, snapshot.columns, output, "the restored table", Cancellation())
        if rows != receipt.rows:
            yield f"{rows:,} rows were restored, its receipt says {receipt.rows:,}"
        elif receipt.row_hash and found is not None and row_hash.written(found) != receipt.row_hash:
            yield "the restored rows are not those that were exported: their hash differs"


@contextmanager
def _scratch(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """A schema for the block. Its session locks its name, so that later drills see whether it is still in use."""
    name = f"{_PREFIX}{secrets.token_hex(6)}"
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (name,))
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield name
    finally:
        # Not over a lost connection: that would hide why it was lost.
        if not connection.closed:
            _drop(connection, name)


def drop_leftovers(connection: psycopg.Connection[Any]) -> None:
    """Drops what drills whose session was lost have left behind, as far as the role owns it."""
    for (name,) in connection.execute(_LEFTOVERS, (_PREFIX,)).fetchall():
        _drop(connection, name)


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))
    connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", (name,))
