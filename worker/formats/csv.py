"""The rows of SELECTs as CSV: each SELECT is one part of the blob, and each stream writes one part after the other."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from threading import Lock
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import ExportInterrupted
from contracts.output import Output
from contracts.receipt import Part
from worker.blob.sink import Upload
from worker.cancellation import Cancellation
from worker.formats.codecs import Trust, compressed
from worker.source.copy_out import copy_out
from worker.source.printing import Printing, binary_copy
from worker.source.readers import PossibleReader
from worker.source.statement import copy_statement


@dataclass(frozen=True, slots=True)
class Form:
    """How rows are written. `printing` is how they become CSV here; None if PostgreSQL sends CSV."""

    output: Output
    trust: Trust
    printing: Printing | None

    def statement(self, selected: sql.Composed, *, header: bool, commits: bool) -> sql.Composed:
        """The COPY of what is selected; `commits`: it ends the transaction, too, which saves a round trip."""
        copy = (
            binary_copy(selected, self.printing)
            if self.printing
            else copy_statement(selected, self.output, header=header)
        )
        return sql.SQL("{}; COMMIT").format(copy) if commits else copy


def write_csv(
    readers: Sequence[PossibleReader],
    selects: Sequence[sql.Composed],
    form: Form,
    upload: Upload,
    cancelled: Cancellation,
) -> tuple[Part, ...]:
    """Writes what `selects` select and returns what each part holds, in their order.

    The calling thread reads by the first reader, and a thread more by each further one. Raises what the first failing
    part raised, once all threads have stopped; ExportInterrupted if `cancelled` is set.
    """
    team = _Team(selects, form, upload, cancelled.child())
    first, *others = readers
    with ThreadPoolExecutor(max(1, len(others)), thread_name_prefix="part") as threads:
        helping = [threads.submit(copy_context().run, team.work, reader) for reader in others]
        errors: list[BaseException] = []
        try:
            team.work(first)
        except Exception as failure:  # noqa: BLE001  # raised again, unless another one says more
            errors.append(failure)
    errors += [error for helper in helping if (error := helper.exception())]
    if errors:
        # The first one to fail stopped the others, which say only that they were stopped.
        raise min(errors, key=lambda error: isinstance(error, ExportInterrupted))
    return team.parts()


class _Team:
    """Takes parts until there are no more. One thread for each reader runs `work`."""

    def __init__(self, selects: Sequence[sql.Composed], form: Form, upload: Upload, cancelled: Cancellation) -> None:
        self._form = form
        self._upload = upload
        self._is_alone = len(selects) == 1
        # Set by the first thread that fails, read by all.
        self._cancelled = cancelled
        # Taken by all threads, under _taking.
        self._left = deque(enumerate(selects))
        self._taking = Lock()
        # Each thread adds the parts that it wrote, under other keys than the others; read once all have ended.
        self._done: dict[int, Part] = {}

    def work(self, reader: PossibleReader) -> None:
        """Writes parts by one reader, and gives its connection back when there are no more."""
        try:
            with reader as connection:
                while connection is not None and (taken := self._take()) is not None:
                    index, selected = taken
                    self._done[index] = self._write(connection, index, selected)
        except BaseException:
            self._cancelled.set()
            raise

    def parts(self) -> tuple[Part, ...]:
        """What all have written, in the order of the blob."""
        return tuple(part for _, part in sorted(self._done.items()))

    def _take(self) -> tuple[int, sql.Composed] | None:
        with self._taking:
            return self._left.popleft() if self._left else None

    def _write(self, connection: psycopg.Connection[Any], index: int, selected: sql.Composed) -> Part:
        form, output, part = self._form, self._form.output, self._upload.part(index)
        header = output.header and index == 0
        statement = form.statement(selected, header=header, commits=self._is_alone)
        with copy_out(connection, statement, header=header, cancelled=self._cancelled) as copy:
            chunks = copy.chunks(form.printing)
            for data in compressed(chunks, output.compression, output.effective_level, form.trust):
                part.write(data)
        return part.finished(copy.rows, copy.bytes, copy.row_hash)
