"""Reads the rows of a request into an upload: in this thread, and large ones in parts by reader processes, too."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Event, Lock

from psycopg import sql

from contracts.errors import ExportInterrupted
from contracts.receipt import Part
from contracts.request import ExportRequest, TableSource
from worker.blocks import PartUpload
from worker.compress import compressed
from worker.parquet import as_arrow_takes_it, copy_parquet
from worker.reader_pool import ReaderPool
from worker.sink import Upload
from worker.snapshot import Cancellation, copy_out
from worker.source import Snapshot, Source
from worker.split import parts_wanted, split, streams_wanted
from worker.statement import copy_statement
from worker.survey import quantiles, survey


@dataclass(frozen=True, slots=True)
class Reading:
    """What one export reads with: its request, and the means that all exports of the process share."""

    request: ExportRequest
    subject: str
    source: Source
    readers: ReaderPool
    max_parts: int


def copy_parts(
    reading: Reading, snapshot: Snapshot, selected: sql.Composed, upload: Upload, cancelled: Event
) -> tuple[Part, ...]:
    """Copies all rows into the upload, and gives what each part counted, in the order of the blob.

    Raises what the first failing part raised; the others are stopped then.
    """
    if reading.request.output.format == "parquet":
        return (_copy_as_parquet(reading, snapshot, selected, upload, cancelled),)
    wanted = streams_wanted(reading.request, snapshot.estimated_bytes, reading.max_parts)
    # The snapshot's own connection reads, too.
    with reading.source.spare_connections(wanted - 1) as spare:
        selects = _selects(reading.request, snapshot, 1 + spare) or [selected]
        team = _Team(reading, snapshot, selects, upload, cancelled)
        return team.copy(min(spare, len(selects) - 1))


def _selects(request: ExportRequest, snapshot: Snapshot, streams: int) -> list[sql.Composed]:
    """What each part selects; none where the source cannot be split, or only one stream is to be had."""
    source, window = request.source, request.window
    if streams < 2 or not isinstance(source, TableSource):
        return []
    found = survey(snapshot.connection, source.schema_name, source.table)
    known = quantiles(snapshot.connection, source.schema_name, source.table, window.column) if window else []
    return split(request, found, parts_wanted(streams, snapshot.estimated_bytes), known)


def _copy_as_parquet(
    reading: Reading, snapshot: Snapshot, selected: sql.Composed, upload: Upload, cancelled: Cancellation
) -> Part:
    source, subject = reading.source, reading.subject
    described = snapshot.connection.execute(sql.SQL("SELECT * FROM ({}) AS source LIMIT 0").format(selected))
    oids = [column.type_code for column in described.description or ()]
    names = snapshot.connection.execute(
        "SELECT array_agg(typname::text ORDER BY n) FROM unnest(%s::oid[]) WITH ORDINALITY AS asked (type, n)"
        " JOIN pg_type ON pg_type.oid = asked.type",
        (oids,),
    ).fetchone()
    columns = list(zip((column.name for column in described.description or ()), (names or ([],))[0], strict=True))
    with source.spare_connections(1) as got:
        if not got:
            raise source.exhausted(subject)
        begin = source.begin(snapshot.export()).as_string().split(";\n")
        statements = [*begin, as_arrow_takes_it(selected, columns).as_string()]
        return copy_parquet(source.connector.parameters(), statements, upload.part(0), subject, cancelled)


class _Team:
    """One thread of the worker and some reader processes, which take one part after the other, all of one snapshot."""

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

    def copy(self, processes: int) -> tuple[Part, ...]:
        """Reads all parts, with the help of so many reader processes."""
        if not processes:
            self._take_parts(self._read_here)
        else:
            begin = self._reading.source.begin(self._snapshot.export()).as_string()
            with ThreadPoolExecutor(processes, thread_name_prefix="part") as threads:
                others = [threads.submit(self._take_parts, partial(self._read_there, begin)) for _ in range(processes)]
                errors = _raised_by(self._take_parts, self._read_here)
            errors += [error for other in others if (error := other.exception())]
            if errors:
                # The first to fail stopped the others, which only say that they were stopped.
                raise min(errors, key=lambda error: isinstance(error, ExportInterrupted))
        return tuple(part for _, part in sorted(self._done.items()))

    def _take_parts(self, read: Callable[[sql.Composed, PartUpload, bool], Part]) -> None:
        try:
            while True:
                with self._taking:
                    index, selected = next(self._work, (-1, None))
                if selected is None:
                    return
                header = self._reading.request.output.header and index == 0
                self._done[index] = read(selected, self._upload.part(index), header)
        except BaseException:
            self._failed.set()
            raise

    def _read_here(self, selected: sql.Composed, part: PartUpload, header: bool) -> Part:
        output = self._reading.request.output
        statement = copy_statement(selected, output, header=header)
        with copy_out(self._snapshot.connection, statement, header=header, cancelled=self) as copy:
            for data in compressed(copy.chunks(), output.compression, output.effective_level):
                part.write(data)
        return part.finished(copy.rows, copy.bytes)

    def _read_there(self, begin: str, selected: sql.Composed, part: PartUpload, header: bool) -> Part:
        output = self._reading.request.output
        order = {
            "connect": self._reading.source.connector.parameters(),
            "begin": begin,
            "copy": copy_statement(selected, output, header=header).as_string(),
            "header": header,
            "compression": output.compression,
            "level": output.effective_level,
        }
        with self._reading.readers.borrowed() as reader:
            for data in reader.read(order, self._reading.subject, self):
                part.write(data)
            return part.finished(reader.answer["rows"], reader.answer["csv_bytes"])


def _raised_by(call: Callable[..., None], *arguments: object) -> list[BaseException]:
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001  # raised again, unless another one says more
        return [error]
    return []
