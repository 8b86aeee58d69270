"""Edge: the exports that read now, as the server shows them: pg_stat_activity and pg_stat_progress_copy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from connections.postgres.connector import Connector
from connections.postgres.server_errors import no_connection
from connections.postgres.session_name import PREFIX, export_in
from connections.postgres.tokens import password_source
from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from settings import Settings
from worker.source.statement import select_of

# Sessions of the role itself are visible to it without further rights; `bytes` are those that COPY has sent.
_SESSIONS = """
    SELECT a.application_name, a.pid, a.xact_start, a.wait_event_type || ': ' || a.wait_event AS waits_for,
           coalesce(c.tuples_processed, 0) AS rows, coalesce(c.bytes_processed, 0) AS bytes, now() AS now
    FROM pg_stat_activity AS a LEFT JOIN pg_stat_progress_copy AS c USING (pid)
    WHERE a.datname = current_database() AND a.application_name LIKE %s AND a.xact_start IS NOT NULL
    ORDER BY a.xact_start"""


@dataclass(frozen=True, slots=True)
class Running:
    """An export that reads now; `rows` and `bytes` are what its streams have sent so far.

    `job` may be cut off. `estimated_rows` is the planner's estimate, None if nobody asked for it.
    """

    request_id: UUID
    job: str
    pids: tuple[int, ...]
    since: datetime
    seconds: float
    rows: int
    bytes: int
    waits_for: str | None = None
    estimated_rows: int | None = None

    @property
    def seconds_left(self) -> float | None:
        """By the rows that are left of the estimate, at the speed so far; None if nothing can be said."""
        if not self.estimated_rows or not self.rows:
            return None
        return max(0.0, self.seconds * (self.estimated_rows / self.rows - 1))


class Sessions:
    """One connection to the server, to look at it again and again."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._estimates: dict[UUID, int] = {}

    def running(self) -> list[Running]:
        """The exports of this database that read now, the oldest first. Raises SourceUnavailable."""
        found: dict[tuple[UUID, str], list[tuple[Any, ...]]] = {}
        try:
            rows = self._connection.execute(_SESSIONS, (f"{PREFIX} %",)).fetchall()
        except psycopg.OperationalError as error:
            raise no_connection("the server", error) from None
        for name, *fields in rows:
            if export := export_in(name):
                found.setdefault(export, []).append(tuple(fields))
        return [self._merged(*export, rows) for export, rows in found.items()]

    def estimate(self, requests: Mapping[UUID, ExportRequest], jobs: Jobs) -> None:
        """Asks the planner how many rows each request has, once; `running` says so from then on."""
        for request_id, request in requests.items():
            if request_id not in self._estimates and request.job in jobs:
                rows = self._connection.execute(b"EXPLAIN (FORMAT JSON) " + select_of(request, jobs).as_bytes())
                (plan,) = rows.fetchone() or ([{"Plan": {"Plan Rows": 0}}],)
                self._estimates[request_id] = int(plan[0]["Plan"]["Plan Rows"])

    def _merged(self, request_id: UUID, job: str, rows: list[tuple[Any, ...]]) -> Running:
        """One export of the sessions of its streams."""
        since, now = min(row[1] for row in rows), rows[0][5]
        return Running(
            request_id,
            job,
            tuple(row[0] for row in rows),
            since,
            max(0.0, (now - since).total_seconds()),
            sum(row[3] for row in rows),
            sum(row[4] for row in rows),
            rows[0][2],
            self._estimates.get(request_id),
        )


def connect(settings: Settings) -> psycopg.Connection[Any]:
    """A session to look at the server by, in autocommit. Raises SourceUnavailable or IdentityUnavailable."""
    connector = Connector(settings, password_source(settings))
    parameters = connector.parameters() | {"application_name": f"{PREFIX}-look", "connect_timeout": 6}
    try:
        return connector.connection_class.connect(**parameters, autocommit=True)
    except psycopg.Error as error:
        raise no_connection(connector.target, error) from None
