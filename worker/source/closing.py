"""Proves that a window is closed before it is read, or says why it cannot wait any longer."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from contracts.errors import SourceRejected, WindowLeftOpen, WindowOpen
from contracts.receipt import Closed
from contracts.request import ExportRequest
from worker.source.closed import MARGIN, Blocker, Rights, open_transactions, open_writers, rights_of
from worker.source.statement import relation_of

# Writers seen at the first look mostly end within seconds; what takes longer is for the queue to wait.
_WRITERS_SECONDS = 5.0
_POLL_SECONDS = 0.25


def prove_closed(
    connection: psycopg.Connection[Any], request: ExportRequest, subject: str, waits_since: datetime | None
) -> Closed | None:
    """By what the window of `request` is proven closed; None if it has no window. The connection is in autocommit.

    Raises WindowOpen while there is time to wait, counted from `waits_since`; WindowLeftOpen after that if the job
    leaves such a window out; SourceRejected if the job asks for more than the role may see.
    """
    if request.window is None:
        return None
    rights = _rights_after(connection, request.run)
    by = request.closing.by or rights.strongest
    if by == "transactions" and not rights.sees_transactions:
        raise SourceRejected(
            f'export of {subject} was refused: closed = "transactions" needs pg_read_all_stats, which this role lacks',
            advice="`tailrace grants --prove-closed` prints the statement that grants it",
            reason="PrivilegeMissing",
        )
    end = request.run
    why = None if by == "delay" else _unknowable(rights, end) or _still_open(connection, request, by, end)
    if why is None:
        return Closed(by=by, at=rights.now)
    _wait_or_give_up(request, subject, waits_since, why)
    return Closed(by=by, at=rights.now, open=_ascii(why)[:500])


def _wait_or_give_up(request: ExportRequest, subject: str, waits_since: datetime | None, why: str) -> None:
    """Returns if the wait has ended and the job's window is exported then; raises WindowOpen or WindowLeftOpen else."""
    end, now = request.run, datetime.now(UTC)
    waited = now - (waits_since or now)
    if waited < timedelta(seconds=request.closing.wait_seconds):
        raise WindowOpen(f"export of {subject} waits: rows before {end.isoformat()} can still arrive: {why}")
    if request.closing.otherwise == "leave":
        raise WindowLeftOpen(
            f"export of {subject} was given up: rows before {end.isoformat()} can still arrive: {why}",
            advice="end that transaction; or set closed_wait or if_open of the job's window",
            reason="WindowOpen",
        )


def _rights_after(connection: psycopg.Connection[Any], end: datetime) -> Rights:
    """The rights, asked once MARGIN has passed after the window's end if that is soon."""
    rights = rights_of(connection)
    left = end + MARGIN - rights.now
    if timedelta(0) < left <= MARGIN:
        time.sleep(left.total_seconds())
        rights = rights_of(connection)
    return rights


def _unknowable(rights: Rights, end: datetime) -> str | None:
    if rights.is_replica:
        # Sessions of the primary cannot be seen here, so this is no proof; a lag is certain to miss rows.
        if rights.replayed is None or rights.replayed < end:
            return f"this replica has replayed up to {rights.replayed}"
        return "this is a replica, where open transactions of the primary cannot be seen"
    return (
        None
        if rights.now - end >= MARGIN
        else f"it ends at {end.isoformat()}, and the server's clock shows {rights.now.isoformat()}"
    )


def _still_open(connection: psycopg.Connection[Any], request: ExportRequest, by: str, end: datetime) -> str | None:
    by_transactions = by == "transactions"
    blockers = open_transactions(connection, end) if by_transactions else _writers_left(connection, request)
    if not blockers:
        return None
    more = f", and {len(blockers) - 1} more" if len(blockers) > 1 else ""
    return f"{blockers[0]}{more}"


def _writers_left(connection: psycopg.Connection[Any], request: ExportRequest) -> list[Blocker]:
    """Those of the writers seen now that do not end within some seconds; later ones do not matter."""
    table = relation_of(request)
    relation = table.as_string() if table else None
    first, deadline = open_writers(connection, relation), time.monotonic() + _WRITERS_SECONDS
    left = first
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        now = open_writers(connection, relation)
        left = {transaction: writer for transaction, writer in left.items() if transaction in now}
    return list(left.values())


def _ascii(text: str) -> str:
    return text.encode("ascii", errors="replace").decode()
