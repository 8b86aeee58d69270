"""Edge: one read-only transaction, whose snapshot all connections of an export share."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from psycopg import pq, sql

from connections.postgres.session_name import PREFIX
from contracts.errors import SourceUnavailable

# What a question is answered once it is called: in a pipeline, the round trip is that of all questions together.
type Answer[Value] = Callable[[], Value]

# Sets what the bytes of an export depend on, in the round trip that begins the transaction: row_security=off makes
# a policy an error instead of leaving rows out in silence; synchronize_seqscans=off makes the same data give the
# same bytes.
_BEGIN = sql.SQL("""\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
{shared}SET LOCAL application_name = {name};
SET LOCAL statement_timeout = {statement_ms};
SET LOCAL lock_timeout = {lock_ms};
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL row_security = off;
SET LOCAL synchronize_seqscans = off;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1""")

# How a snapshot is refused whose transaction has ended: before PostgreSQL 17, since then, and in the midst of ending.
_SNAPSHOT_GONE = (
    psycopg.errors.InvalidParameterValue,
    psycopg.errors.UndefinedObject,
    psycopg.errors.ObjectNotInPrerequisiteState,
)

_SCHEMA = (
    "SELECT name, to_regnamespace(quote_ident(name)) IS NOT NULL FROM (SELECT (parse_ident(%s))[1]) AS schema (name)"
)


class Described(NamedTuple):
    """A column of a SELECT: the oid of its type, and the type's modifier or -1."""

    name: str
    oid: int
    modifier: int


class Planned(NamedTuple):
    """What the planner expects: rows, the bytes of one as it is stored, which is close to its CSV, and its own cost."""

    rows: int
    row_bytes: float
    cost: float


class Snapshot:
    """One read-only repeatable-read transaction, and what it knows of a SELECT.

    `name` is its session's; `id` is its pg_current_snapshot(); `planned` is the planner's estimate; `columns` are those
    of the SELECT.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        name: str,
        id_: str,
        planned: Planned,
        columns: tuple[Described, ...],
    ) -> None:
        self.connection = connection
        self.name = name
        self.id = id_
        self.planned = planned
        self.columns = columns

    @property
    def estimated_bytes(self) -> int:
        """Of all rows."""
        return int(self.planned.rows * self.planned.row_bytes)

    def export(self) -> Answer[str]:
        """The name by which other connections share the snapshot, for as long as this transaction is open."""
        asked = self.connection.execute("SELECT pg_export_snapshot()")
        return lambda: str((asked.fetchone() or ("",))[0])


def begin_statement(statement_ms: int, lock_ms: int, shared: str | None = None, name: str = PREFIX) -> sql.Composed:
    """Begins a read-only repeatable-read transaction, on the exported snapshot `shared` if there is one.

    `name` is the session's application_name during the transaction.
    """
    taken = sql.SQL("SET TRANSACTION SNAPSHOT {};\n").format(sql.Literal(shared)) if shared else sql.SQL("")
    return _BEGIN.format(name=sql.Literal(name), statement_ms=statement_ms, lock_ms=lock_ms, shared=taken)


def join_snapshot(connection: psycopg.Connection[Any], begin: sql.Composed, subject: str) -> None:
    """Begins with `begin`, on another connection's snapshot. Raises SourceUnavailable if that one has ended."""
    try:
        connection.execute(begin)
    except _SNAPSHOT_GONE as error:
        # As PostgreSQL's refusal it would end the export for good, though the next attempt has a snapshot of its own.
        says = f"export of {subject} stopped: the connection that holds its snapshot has ended ({error.diag.sqlstate})"
        raise SourceUnavailable(says) from None


@contextmanager
def open_snapshot(
    connection: psycopg.Connection[Any],
    begin: sql.Composed,
    selected: sql.Composable,
    relation: sql.Identifier | None,
    name: str,
) -> Iterator[Snapshot]:
    """Begins with `begin`, describes `selected` and estimates its bytes; commits at the end of the block.

    If the last statement of the block has committed, the snapshot ended with it.

    `begin` names the session `name`.
    `relation` is the table behind it, if it is one: the planner does not count values stored out of line (TOAST).
    """
    # One round trip: small exports are many.
    first = sql.SQL(
        "{};\nSELECT pg_current_snapshot()::text, {};\nEXPLAIN (FORMAT JSON) {};\nSELECT * FROM ({}) AS source LIMIT 0"
    )
    try:
        cursor = connection.execute(first.format(begin, _table_to_heap(relation), selected, selected))
    except psycopg.errors.UndefinedTable:
        _raise_if_schema_is_missing(connection, relation)
        raise
    id_, factor = cursor.set_result(-3).fetchone() or ("", 1)
    (plan,) = cursor.set_result(-2).fetchone() or ([],)
    columns = tuple(_described(cursor.set_result(-1)))
    yield Snapshot(connection, name, str(id_), _planned(plan, float(factor)), columns)
    if connection.info.transaction_status != pq.TransactionStatus.IDLE:
        connection.execute("COMMIT")


def _raise_if_schema_is_missing(connection: psycopg.Connection[Any], relation: sql.Identifier | None) -> None:
    """Raises InvalidSchemaName if that is why a relation is missing: PostgreSQL says the same of both."""
    if relation is None:
        return
    connection.rollback()
    found = connection.execute(_SCHEMA, [relation.as_string()]).fetchone()
    if found and not found[1]:
        raise psycopg.errors.InvalidSchemaName(f'schema "{found[0]}" does not exist')


def _described(cursor: psycopg.Cursor[Any]) -> Iterator[Described]:
    result, encoding = cursor.pgresult, cursor.connection.info.encoding
    assert result is not None
    for index in range(result.nfields):
        name = (result.fname(index) or b"").decode(encoding)
        yield Described(name, result.ftype(index), result.fmod(index))


def _table_to_heap(relation: sql.Identifier | None) -> sql.Composable:
    """How many times larger a table is with its TOAST than without."""
    if relation is None:
        return sql.SQL("1")
    table = sql.SQL("{}::regclass").format(sql.Literal(relation.as_string()))
    return sql.SQL("greatest(1, pg_table_size({table})::float8 / greatest(8192, pg_relation_size({table})))").format(
        table=table
    )


def _planned(plan: object, factor: float) -> Planned:
    """Of the topmost node; `factor` is how many times larger rows are with what is stored out of line."""
    parsed = json.loads(plan) if isinstance(plan, str) else plan
    top = parsed[0]["Plan"]  # type: ignore[index]  # as EXPLAIN (FORMAT JSON) gives it
    return Planned(int(top["Plan Rows"]), int(top["Plan Width"]) * factor, float(top["Total Cost"]))
