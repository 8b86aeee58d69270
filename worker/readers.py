"""Reads the rows of a request into an upload: in this thread, and large ones in parts by further threads, too."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import ExportInterrupted, SourceUnavailable
from contracts.receipt import Part
from contracts.request import ExportRequest, TableSource
from telemetry.events import event
from worker.blob.blocks import PartUpload
from worker.blob.buffers import MAX_PARTS, PARQUET_STREAMS
from worker.blob.sink import Upload
from worker.formats.compress import compressed
from worker.formats.parquet import require_parquet
from worker.source.copy_out import Cancellation, copy_out
from worker.source.layout import quantiles, survey
from worker.source.pool import Snapshot, Source
from worker.source.split import parts_wanted, split, streams_wanted
from worker.source.statement import copy_statement

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one export reads with: its request, and the means that all exports of the process share."""

    request: ExportRequest
    subject: str
    source: Source
    max_streams: int


def copy_parts(
    reading: Reading, snapshot: Snapshot, selected: sql.Composed, upload: Upload, cancelled: Event
) -> tuple[Part, ...]:
    """Copies all rows into the upload, and gives what each part counted, in the order of the blob.

    Raises what the first failing part raised; the others are stopped then.
    """
    if reading.request.output.format == "parquet":
        return (_copy_as_parquet(reading, snapshot, selected, upload, cancelled),)
    wanted = streams_wanted(reading.request, snapshot.estimated_bytes, reading.max_streams)
    # The snapshot's own connection reads, too.
    with reading.source.spare_connections(wanted - 1) as spare:
        streams = 1 + spare
        count = parts_wanted(streams, snapshot.estimated_bytes) if streams > 1 else 1
        selects = _selects(reading.request, snapshot, count, MAX_PARTS) or [selected]
        team = _Team(reading, snapshot, selects, upload, cancelled)
        return team.copy(min(spare, len(selects) - 1))


def _selects(request: ExportRequest, snapshot: Snapshot, count: int, most: int) -> list[sql.Composed]:
    """What each of about `count` parts selects; none where the source cannot be split, or is to be one part."""
    source, window = request.source, request.window
    if count < 2 or not isinstance(source, TableSource):
        return []
    found = survey(snapshot.connection, source.schema_name, source.table)
    known = quantiles(snapshot.connection, source.schema_name, source.table, window.column) if window else []
    return split(request, found, count, known, most)


def _copy_as_parquet(
    reading: Reading, snapshot: Snapshot, selected: sql.Composed, upload: Upload, cancelled: Cancellation
) -> Part:
    require_parquet()
    from worker.formats.parquet.export import copy_parquet

    wanted = streams_wanted(reading.request, snapshot.estimated_bytes, min(reading.max_streams, PARQUET_STREAMS))
    with reading.source.spare_connections(wanted - 1) as spare, ExitStack() as opened:
        selects = _selects(reading.request, snapshot, 1 + spare, 1 + spare) or [selected]
        connections = [snapshot.connection, *_shared(reading, snapshot, opened, len(selects) - 1)]
        if len(connections) < len(selects):
            selects = _selects(reading.request, snapshot, len(connections), len(connections)) or [selected]
        return copy_parquet(connections[: len(selects)], selects, upload.part(0), reading.subject, cancelled)


def _shared(reading: Reading, snapshot: Snapshot, opened: ExitStack, wanted: int) -> Iterator[psycopg.Connection[Any]]:
    """Connections on the same snapshot, open for as long as `opened` is; fewer than wanted where there are no more."""
    shared = snapshot.export() if wanted else ""
    try:
        for _ in range(wanted):
            yield opened.enter_context(reading.source.sharing(shared, reading.subject))
    except SourceUnavailable as error:
        event(_log, logging.WARNING, "export goes on with one connection less", reason=str(error))


class _Team:
    """Threads that take one part after the other, each with a connection, all of one snapshot."""

    def __init__(
        self, reading: Reading, snapshot: Snapshot, selects: list[sql.Composed], upload: Upload, cancelled: Event
    ) -> None:
        self._reading = reading
        self._snapshot = snapshot
        self._work = iter(enumerate(selects))
        self._taking = Lock()
        self._upload = upload
        self._cancelled = cancelled
        self._failed = Event()
        self._done: dict[int, Part] = {}

    def is_set(self) -> bool:
        """Whether all are to stop: the export is cancelled, or one of them failed."""
        return self._failed.is_set() or self._cancelled.is_set()

    def copy(self, helpers: int) -> tuple[Part, ...]:
        """Reads all parts, with the help of so many further threads."""
        with ThreadPoolExecutor(max(1, helpers), thread_name_prefix="part") as threads:
            shared = self._snapshot.export() if helpers else ""
            others = [threads.submit(self._help, shared) for _ in range(helpers)]
            errors: list[BaseException] = []
            try:
                self._take_parts(self._snapshot.connection)
            except Exception as failure:  # noqa: BLE001  # raised again, unless another one says more
                errors.append(failure)
        errors += [error for other in others if (error := other.exception())]
        if errors:
            # The first to fail stopped the others, which only say that they were stopped.
            raise min(errors, key=lambda error: isinstance(error, ExportInterrupted))
        return tuple(part for _, part in sorted(self._done.items()))

    def _help(self, shared: str) -> None:
        is_open = False
        try:
            with self._reading.source.sharing(shared, self._reading.subject) as connection:
                is_open = True
                self._take_parts(connection)
        except SourceUnavailable as error:
            if is_open:
                raise
            # Those that have a connection read all parts.
            event(_log, logging.WARNING, "export goes on with one connection less", reason=str(error))

    def _take_parts(self, connection: psycopg.Connection[Any]) -> None:
        try:
            while True:
                with self._taking:
                    index, selected = next(self._work, (-1, None))
                if selected is None:
                    return
                header = self._reading.request.output.header and index == 0
                self._done[index] = self._read(connection, selected, self._upload.part(index), header=header)
        except BaseException:
            self._failed.set()
            raise

    def _read(
        self, connection: psycopg.Connection[Any], selected: sql.Composed, part: PartUpload, *, header: bool
    ) -> Part:
        output = self._reading.request.output
        statement = copy_statement(selected, output, header=header)
        with copy_out(connection, statement, header=header, cancelled=self) as copy:
            for data in compressed(copy.chunks(), output.compression, output.effective_level):
                part.write(data)
        return part.finished(copy.rows, copy.bytes)
