"""Opens what an export reads by: one connection for each stream, all on one snapshot, and what each part selects."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import Transient
from contracts.request import ExportRequest, TableSource
from telemetry.events import event
from worker.source.catalogue import layout_of, quantiles_of
from worker.source.pool import Source
from worker.source.snapshot import Snapshot
from worker.source.split import split

_log = logging.getLogger(__name__)

type _Connection = psycopg.Connection[Any]


class Reader:
    """The connection of one stream; a context manager that gives it back at the end of its block."""

    def __init__(self, connection: psycopg.Connection[Any], opened: ExitStack) -> None:
        self._connection = connection
        self._opened = opened

    def __enter__(self) -> psycopg.Connection[Any]:
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._opened.__exit__(kind, error, trace)


@contextmanager
def open_readers(source: Source, snapshot: Snapshot, wanted: int, subject: str) -> Iterator[list[Reader]]:
    """The snapshot's own connection and `wanted` - 1 further ones; fewer if the pool or the server has no more.

    They are opened side by side, since each takes some round trips. A reader that is not used is closed at the end of
    the block.
    """
    readers = [Reader(snapshot.connection, ExitStack())]
    shared = snapshot.export() if wanted > 1 else ""
    with ExitStack() as unused:
        stacks = [unused.enter_context(ExitStack()) for _ in range(wanted - 1)]
        with ThreadPoolExecutor(max(1, len(stacks)), thread_name_prefix="connect") as threads:
            sharing = partial(source.sharing, shared, snapshot.name, subject)
            opening = [threads.submit(copy_context().run, _opened, stack, sharing()) for stack in stacks]
        found = [one.result() for one in opening]
        readers += [one for one in found if isinstance(one, Reader)]
        if failed := [one for one in found if isinstance(one, Transient)]:
            says = "export goes on with one connection less"
            event(_log, logging.WARNING, says, streams=len(readers), reason=str(failed[0]))
        yield readers


def _opened(stack: ExitStack, sharing: AbstractContextManager[_Connection | None]) -> Reader | Transient | None:
    """A reader, closed by `stack`; None if the pool has no place for one; or why the server has none."""
    try:
        connection = stack.enter_context(sharing)
    except Transient as error:
        return error
    return None if connection is None else Reader(connection, stack)


class Selects:
    """What the parts of a request select, in the order of their rows."""

    def __init__(self, request: ExportRequest, snapshot: Snapshot, selected: sql.Composed) -> None:
        self._request = request
        self._snapshot = snapshot
        self._selected = selected

    def parts(self, count: int, most: int) -> list[sql.Composed]:
        """About `count` SELECTs, `most` at most; the one of all rows if the source cannot be split."""
        source, window = self._request.source, self._request.window
        if count < 2 or not isinstance(source, TableSource):
            return [self._selected]
        connection = self._snapshot.connection
        layout = layout_of(connection, source.schema_name, source.table)
        known = quantiles_of(connection, source.schema_name, source.table, window.column) if window else []
        return split(self._request, layout, count, known, most) or [self._selected]
