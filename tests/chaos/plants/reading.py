"""Planted: faults of reading the source."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chaos.plants.plant import STUCK, WRONG, plant


@plant(
    "the command tag is not checked", *WRONG,
    faults=("statements cancelled",), count=8, loads=("slow", "long"),
)  # fmt: skip
def _no_tag() -> None:
    from worker.source.copy_out import CopyOut

    def unlooked(self: Any) -> None:
        while self._pgconn.get_result() is not None:
            pass

    CopyOut._check_command_tag = unlooked  # type: ignore[method-assign]


@plant("the first row comes twice", *WRONG)
def _row_doubled() -> None:
    from worker.source.copy_out import CopyOut

    chunks = CopyOut.chunks

    def doubled(self: Any, printing: Any = None) -> Iterator[memoryview]:
        for number, chunk in enumerate(chunks(self, printing)):
            line = bytes(chunk).find(b"\n", bytes(chunk).find(b"\n") + 1) + 1
            yield memoryview(bytes(chunk[:line]) + bytes(chunk)) if number == 0 else chunk

    CopyOut.chunks = doubled  # type: ignore[method-assign]


@plant("the last chunk is dropped", *WRONG)
def _last_chunk() -> None:
    from worker.source.copy_out import CopyOut

    chunks = CopyOut.chunks

    def without(self: Any, printing: Any = None) -> Iterator[memoryview]:
        held = None
        for chunk in chunks(self, printing):
            if held is not None:
                yield memoryview(held)
            held = bytes(chunk)

    CopyOut.chunks = without  # type: ignore[method-assign]


@plant("the header is left out", *WRONG)
def _no_header() -> None:
    from worker import export

    write = export.write_csv

    def without(readers: Any, selects: Any, form: Any, *others: Any) -> Any:
        output = form.output.model_copy(update={"header": False})
        return write(readers, selects, replace(form, output=output), *others)

    export.write_csv = without


@plant("NULL is written as an empty text", *WRONG, loads=("medium",))
def _null_as_text() -> None:
    from worker import export

    write = export.write_csv

    def changed(readers: Any, selects: Any, form: Any, *others: Any) -> Any:
        output = form.output.model_copy(update={"null": "NULL"})
        printing = form.printing and replace(form.printing, null=b"NULL")
        return write(readers, selects, replace(form, output=output, printing=printing), *others)

    export.write_csv = changed


@plant("streams read different snapshots", "torn snapshot", loads=("accounts",), requests=12)
def _own_snapshots() -> None:
    from worker.source import pool

    begin = pool.begin_statement

    def own(statement_ms: int, lock_ms: int, shared: str | None = None, name: str = "tailrace") -> Any:
        if shared is not None:
            time.sleep(0.3)
        return begin(statement_ms, lock_ms, None, name)

    pool.begin_statement = own


@plant("the window's end is in the window", *WRONG, loads=("window",))
def _window_end() -> None:
    from worker.source import statement

    within = statement.within

    def wider(window: Any) -> Any:
        return within(window.model_copy(update={"end": window.end + 1}))

    statement.within = wider
    from worker.source import split

    split.within = wider


@plant("another request's rows are exported", *WRONG)
def _other_rows() -> None:
    from worker import export

    select_of, first = export.select_of, []

    def stale(request: Any, jobs: Any) -> Any:
        first.append(select_of(request, jobs))
        return first[0]

    export.select_of = stale


@plant("transactions are left open", "session left", *STUCK, loads=("small", "medium"), requests=4)
def _session_left() -> None:
    from worker.source.pool import Source

    held = []

    @contextmanager
    def left(self: Any, subject: str, timeout: float) -> Iterator[Any]:
        held.append(self._pool.getconn(timeout))
        yield held[-1]
        held[-1].execute("begin")
        held[-1].execute("select 1 from public.small")

    Source._connection = left  # type: ignore[method-assign]
