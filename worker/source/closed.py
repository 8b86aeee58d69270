"""Edge: what PostgreSQL knows of transactions that can still add rows to a window.

A row stamped with `now()` carries its transaction's start, and arrives when the transaction commits. So a window is
closed once every transaction that began before its end has ended; docs/explanation/proof.md says what that proves.
Ask before the snapshot of the export is taken: what has ended by then, the snapshot sees.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg

type Means = Literal["transactions", "writers", "delay"]

# A transaction shows its start in pg_stat_activity some microseconds after it took the time; on a server that is short
# of processors it can be longer.
MARGIN = timedelta(seconds=2)

# What serves the server itself writes no rows of a table, and parallel workers belong to a backend that is listed.
_SERVES_THE_SERVER = (
    "archiver", "autovacuum launcher", "autovacuum worker", "background writer", "checkpointer", "io worker",
    "logical replication launcher", "parallel worker", "slotsync worker", "startup", "walreceiver", "walsender",
    "walsummarizer", "walwriter",
)  # fmt: skip

_RIGHTS = """
    SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), pg_is_in_recovery(), clock_timestamp(),
           pg_last_xact_replay_timestamp()"""

# Sessions whose transaction began before `end`, without the exports' own and those that cannot write: a role writes
# nowhere if neither it nor any role that it may become can change a relation, or call a function that runs with another
# role's rights.
_OPEN = """
    WITH began AS MATERIALIZED (
        SELECT pid, usesysid, usename, xact_start, state, query FROM pg_stat_activity
        WHERE (datid = (SELECT oid FROM pg_database WHERE datname = current_database()) OR datid IS NULL)
          AND xact_start < %(end)s AND pid <> pg_backend_pid() AND backend_type <> ALL (%(serves)s)
          AND NOT (usename = session_user AND application_name LIKE 'tailrace%%')),
    roles AS MATERIALIZED (SELECT DISTINCT usesysid FROM began WHERE usesysid IS NOT NULL),
    becomes AS MATERIALIZED (
        SELECT usesysid, r.oid FROM roles JOIN pg_roles AS r ON pg_has_role(usesysid, r.oid, 'MEMBER')),
    writers AS MATERIALIZED (
        SELECT DISTINCT usesysid FROM becomes AS b WHERE EXISTS (
            SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND (has_table_privilege(b.oid, c.oid, 'INSERT, UPDATE, DELETE')
                   OR has_any_column_privilege(b.oid, c.oid, 'INSERT, UPDATE')))
        OR EXISTS (
            SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND has_function_privilege(b.oid, p.oid, 'EXECUTE')))
    SELECT pid, usename::text, xact_start, state, left(query, 200) FROM began
    WHERE usesysid IS NULL OR usesysid IN (SELECT usesysid FROM writers)
    ORDER BY xact_start"""

# A prepared transaction writes no more, yet what it wrote arrives with its commit.
_PREPARED = """
    SELECT gid, owner::text, prepared FROM pg_prepared_xacts
    WHERE database = current_database() AND prepared >= '-infinity' ORDER BY prepared"""

_WRITERS = """
    WITH asked AS MATERIALIZED (SELECT to_regclass(%(relation)s)::oid AS oid)
    SELECT DISTINCT l.virtualtransaction, l.pid, a.usename::text, a.xact_start, a.state, left(a.query, 200)
    FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND ((SELECT oid FROM asked) IS NULL OR l.relation = (SELECT oid FROM asked)
           OR l.relation IN (SELECT relid FROM pg_partition_tree((SELECT oid FROM asked))))"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the role and the server allow to be proven. `now` is the server's clock."""

    sees_transactions: bool
    is_replica: bool
    now: datetime
    replayed: datetime | None

    @property
    def strongest(self) -> Means:
        """The strongest means that these rights allow."""
        return "transactions" if self.sees_transactions else "writers"


@dataclass(frozen=True, slots=True)
class Blocker:
    """A transaction that may still add rows. `pid` is None for a prepared one, `since` None if it cannot be seen."""

    name: str
    pid: int | None
    user: str | None
    since: datetime | None
    statement: str | None

    def __str__(self) -> str:
        """One line for a person.

        >>> print(Blocker("active", 7, "app", datetime.fromisoformat("2026-01-31T00:00:00+00:00"), "insert into t"))
        pid 7 of user app, open since 2026-01-31T00:00:00+00:00, last statement: insert into t
        """
        who = f"pid {self.pid}" if self.pid else f"prepared transaction {self.name}"
        since = f", open since {self.since.isoformat(timespec='seconds')}" if self.since else ""
        statement = f", last statement: {' '.join(self.statement.split())}" if self.statement else ""
        return f"{who} of user {self.user or 'unknown'}{since}{statement}"


def rights_of(connection: psycopg.Connection[Any]) -> Rights:
    """What can be asked on this connection, which is in autocommit."""
    row = connection.execute(_RIGHTS).fetchone()
    assert row is not None
    return Rights(*row)


def open_transactions(connection: psycopg.Connection[Any], end: datetime) -> list[Blocker]:
    """The transactions that began before `end` and may still add rows, oldest first. Needs pg_read_all_stats.

    All prepared ones count: when they began cannot be seen.
    """
    serves = list(_SERVES_THE_SERVER)
    # One round trip, in this order: a transaction that is prepared in between is seen at least once.
    with connection.pipeline():
        began, prepared = connection.execute(_OPEN, {"end": end, "serves": serves}), connection.execute(_PREPARED)
    sessions = [Blocker(state or "", pid, user, since, query) for pid, user, since, state, query in began]
    return [*sessions, *(Blocker(gid, None, owner, since, None) for gid, owner, since in prepared)]


def open_writers(connection: psycopg.Connection[Any], relation: str | None) -> dict[str, Blocker]:
    """The transactions that hold a writer's lock on a relation or a part of it, by virtual transaction.

    `relation` is a name as regclass takes it; None means any relation of the database.
    """
    found = connection.execute(_WRITERS, {"relation": relation}).fetchall()
    return {
        transaction: Blocker(state or "", pid, user, since, query)
        for transaction, pid, user, since, state, query in found
    }
