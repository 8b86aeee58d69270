"""What an export reads by: one connection for each stream, all on one snapshot, and what each part selects."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import Transient
from contracts.request import ExportRequest, TableSource
from telemetry.events import event
from worker.source.catalogue import layout_of, quantiles_of
from worker.source.layout import Layout
from worker.source.pool import Source
from worker.source.snapshot import Answer, Snapshot
from worker.source.split import split

_log = logging.getLogger(__name__)

type _Connection = psycopg.Connection[Any]
# The connection of one stream, for a block.
type Reader = AbstractContextManager[_Connection]
# The same; None if the pool or the server has none.
type PossibleReader = AbstractContextManager[_Connection | None]


def readers_of(source: Source, snapshot: Snapshot, shared: str, count: int, subject: str) -> list[PossibleReader]:
    """The snapshot's own connection, and `count` - 1 further ones on the exported snapshot `shared`.

    A further one connects when its block begins, so that the first one reads meanwhile.
    """
    further = [_further(source.sharing(shared, snapshot.name, subject)) for _ in range(count - 1)]
    return [nullcontext(snapshot.connection), *further]


@contextmanager
def _further(sharing: PossibleReader) -> Iterator[_Connection | None]:
    with ExitStack() as opened:
        try:
            connection = opened.enter_context(sharing)
        except Transient as error:
            event(_log, logging.WARNING, "export goes on with one connection less", reason=str(error))
            connection = None
        yield connection


class Selects:
    """What the parts of a request select, in the order of their rows."""

    def __init__(
        self, request: ExportRequest, snapshot: Snapshot, selected: sql.Composed, *, are_several: bool
    ) -> None:
        """`are_several`: there may be more than one part; then it asks PostgreSQL how the table is stored."""
        self._request = request
        self._selected = selected
        self._layout: Answer[Layout] | None = None
        self._quantiles: Answer[list[str]] = list
        source, window = request.source, request.window
        if are_several and isinstance(source, TableSource):
            connection = snapshot.connection
            self._layout = cache(layout_of(connection, source.schema_name, source.table))
            if window:
                known = quantiles_of(connection, source.schema_name, source.table, window.column)
                self._quantiles = cache(known)

    def parts(self, count: int, most: int) -> list[sql.Composed]:
        """About `count` SELECTs, `most` at most; the one of all rows if the source cannot be split."""
        if count < 2 or self._layout is None:
            return [self._selected]
        return split(self._request, self._layout(), count, self._quantiles(), most) or [self._selected]
