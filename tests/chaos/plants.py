"""Faults of the product, built into a worker one at a time: what the checker must find.

Each replaces one function of the product in the worker's process. Nothing of the product knows of it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

type Build = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault that is built in, and the run that must find it: which faults of the world, which requests.

    `finds`: the kinds of findings that name it.
    """

    build_in: Build
    finds: frozenset[str]
    faults: tuple[str, ...] = ()
    loads: tuple[str, ...] = ("small", "slow", "medium", "parts", "plain", "missing")
    count: int = 0
    requests: int = 10
    over_s: float = 3.0


PLANTS: dict[str, Plant] = {}
_WRONG = ("wrong blob", "wrong receipt", "undecodable")
_STUCK = ("in limbo", "no blob", "no dead letter")


def _plant(name: str, *finds: str, **run: Any) -> Callable[[Build], Build]:
    def registered(build_in: Build) -> Build:
        PLANTS[name] = Plant(build_in, frozenset(finds), **run)
        return build_in

    return registered


# --- the commit


@_plant(
    "the commit has no condition", "published again",
    loads=("twice",), requests=8,
)  # fmt: skip
def _no_condition() -> None:
    from worker.blob.sink import Upload

    options = Upload._options

    def without(self: Any, receipt: Any, content_type: str) -> dict[str, Any]:
        found = options(self, receipt, content_type)
        return {"metadata": found["metadata"], "content_settings": found["content_settings"], "overwrite": True}

    Upload._options = without  # type: ignore[method-assign]


@_plant("an empty blob is committed first", "published again", "wrong blob")
def _empty_first() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def twice(self: Any, receipt: Any, content_type: str) -> None:
        blob = self._staging.blob
        if not blob.exists():
            from worker.blob.sink import Found

            etag = blob.upload_blob(b"", overwrite=True)["etag"]
            self._replacing = Found(etag, None)
        commit(self, receipt, content_type)

    Upload.commit = twice  # type: ignore[method-assign]


@_plant("parts are committed in the wrong order", *_WRONG, loads=("parts", "window"))
def _wrong_order() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def reversed_(self: Any, receipt: Any, content_type: str) -> None:
        self._parts = {len(self._parts) - number: part for number, part in self._parts.items()}
        commit(self, receipt, content_type)

    Upload.commit = reversed_  # type: ignore[method-assign]


@_plant("a part's gzip member is dropped", *_WRONG, loads=("parts", "window"))
def _member_dropped() -> None:
    from worker.blob.sink import Upload

    commit = Upload.commit

    def without(self: Any, receipt: Any, content_type: str) -> None:
        if len(self._parts) > 1:
            del self._parts[max(self._parts)]
        commit(self, receipt, content_type)

    Upload.commit = without  # type: ignore[method-assign]


@_plant("a block that failed is left out", *_WRONG, faults=("409 to a block",), count=8, loads=("parts", "plain"))
def _failed_block() -> None:
    from worker.blob.blocks import PartUpload

    stage = PartUpload._stage

    def staged(self: Any) -> None:
        stage(self)
        try:
            self._staged[-1].result()
        except Exception:  # noqa: BLE001
            self._staged.pop()
            self.block_ids.pop()

    PartUpload._stage = staged  # type: ignore[method-assign]


@_plant("rows at a block's edge are dropped", *_WRONG, loads=("plain",), requests=3)
def _block_edge() -> None:
    from worker.blob.blocks import PartUpload

    write = PartUpload.write

    def short(self: Any, data: Any) -> None:
        view = memoryview(data)
        room = len(self._buffer) - self._filled
        write(self, view[: len(view) - 1000] if self._filled and room <= len(view) else view)

    PartUpload.write = short  # type: ignore[method-assign]


@_plant("a bit of the compressed bytes flips", *_WRONG)
def _bit_flips() -> None:
    from worker.blob.blocks import PartUpload

    write = PartUpload.write

    def flipped(self: Any, data: Any) -> None:
        changed = bytearray(data)
        changed[len(changed) // 2] ^= 1
        write(self, changed)

    PartUpload.write = flipped  # type: ignore[method-assign]


@_plant("a second blob is left beside the first", "unasked blob")
def _second_blob() -> None:
    from worker.blob.sink import Sink, Upload

    upload, commit = Sink.upload, Upload.commit

    @contextmanager
    def beside(self: Any, name: str, replacing: Any) -> Iterator[Any]:
        self._container.get_blob_client(f"{name}.tmp").upload_blob(b"", overwrite=True)
        with upload(self, name, replacing) as opened:
            yield opened

    Sink.upload, Upload.commit = beside, commit  # type: ignore[method-assign]


# --- the receipt


def _receipts(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    from contracts.receipt import Receipt

    to_metadata = Receipt.to_metadata
    Receipt.to_metadata = lambda self: change(to_metadata(self))  # type: ignore[method-assign]


@_plant("receipts are copied from another export", *_WRONG, "in limbo")
def _copied() -> None:
    first: list[dict[str, str]] = []

    def copied(metadata: dict[str, str]) -> dict[str, str]:
        first.append(metadata)
        return first[0]

    _receipts(copied)


@_plant("blobs have no receipt", *_WRONG)
def _no_receipt() -> None:
    _receipts(lambda _: {})


@_plant("the receipt counts one row too many", *_WRONG)
def _rows_miscounted() -> None:
    _receipts(lambda metadata: {**metadata, "rows": str(int(metadata["rows"]) + 1)})


@_plant("the receipt has the hash of other rows", *_WRONG)
def _hash_of_others() -> None:
    _receipts(lambda metadata: {**metadata, "row_hash": "0123456789abcdef"})


# --- reading


@_plant(
    "the command tag is not checked", *_WRONG,
    faults=("statements cancelled",), count=8, loads=("slow", "long"),
)  # fmt: skip
def _no_tag() -> None:
    from worker.source.copy_out import CopyOut

    def unlooked(self: Any) -> None:
        while self._pgconn.get_result() is not None:
            pass

    CopyOut._check_command_tag = unlooked  # type: ignore[method-assign]


@_plant("the first row comes twice", *_WRONG)
def _row_doubled() -> None:
    from worker.source.copy_out import CopyOut

    chunks = CopyOut.chunks

    def doubled(self: Any) -> Iterator[memoryview]:
        for number, chunk in enumerate(chunks(self)):
            line = bytes(chunk).find(b"\n", bytes(chunk).find(b"\n") + 1) + 1
            yield memoryview(bytes(chunk[:line]) + bytes(chunk)) if number == 0 else chunk

    CopyOut.chunks = doubled  # type: ignore[method-assign]


@_plant("the last chunk is dropped", *_WRONG)
def _last_chunk() -> None:
    from worker.source.copy_out import CopyOut

    chunks = CopyOut.chunks

    def without(self: Any) -> Iterator[memoryview]:
        held = None
        for chunk in chunks(self):
            if held is not None:
                yield memoryview(held)
            held = bytes(chunk)

    CopyOut.chunks = without  # type: ignore[method-assign]


@_plant("the header is left out", *_WRONG)
def _no_header() -> None:
    from worker.formats import csv

    begin = csv._Team.__init__

    def without(self: Any, selects: Any, output: Any, *others: Any) -> None:
        begin(self, selects, output.model_copy(update={"header": False}), *others)

    csv._Team.__init__ = without  # type: ignore[method-assign]


@_plant("NULL is written as an empty text", *_WRONG, loads=("medium",))
def _null_as_text() -> None:
    from worker.formats import csv

    statement = csv.copy_statement

    def changed(selected: Any, output: Any, *, header: bool) -> Any:
        return statement(selected, output.model_copy(update={"null": "NULL"}), header=header)

    csv.copy_statement = changed


@_plant("streams read different snapshots", "torn snapshot", loads=("accounts",), requests=12)
def _own_snapshots() -> None:
    from worker.source import pool

    begin = pool.begin_statement

    def own(statement_ms: int, lock_ms: int, shared: str | None = None, name: str = "tailrace") -> Any:
        if shared is not None:
            time.sleep(0.3)
        return begin(statement_ms, lock_ms, None, name)

    pool.begin_statement = own


@_plant("the window's end is in the window", *_WRONG, loads=("window",))
def _window_end() -> None:
    from worker.source import statement

    within = statement.within

    def wider(window: Any) -> Any:
        return within(window.model_copy(update={"end": window.end + 1}))

    statement.within = wider
    from worker.source import split

    split.within = wider


@_plant("another request's rows are exported", *_WRONG)
def _other_rows() -> None:
    from worker import export

    select_of, first = export.select_of, []

    def stale(request: Any, jobs: Any) -> Any:
        first.append(select_of(request, jobs))
        return first[0]

    export.select_of = stale


@_plant(
    "a stopping worker commits what it has", *_WRONG,
    faults=("worker terminated",), count=6, loads=("slow", "long"), requests=16, over_s=20.0,
)  # fmt: skip
def _commits_short() -> None:
    from contracts.errors import ExportInterrupted
    from worker.source.copy_out import CopyOut

    chunks = CopyOut.chunks

    def short(self: Any) -> Iterator[memoryview]:
        try:
            yield from chunks(self)
        except ExportInterrupted:
            return

    from worker.formats import csv

    copy_out = csv.copy_out

    @contextmanager
    def lenient(*arguments: Any, **options: Any) -> Iterator[Any]:
        with suppress(ExportInterrupted), copy_out(*arguments, **options) as copy:
            yield copy

    CopyOut.chunks, csv.copy_out = short, lenient  # type: ignore[method-assign]


@_plant("transactions are left open", "session left", *_STUCK, loads=("small", "medium"), requests=4)
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


# --- what becomes of the message


def _settlements(change: Callable[[Any, Exception | None], Any]) -> None:
    from worker.message import delivery

    settlement_for = delivery.settlement_for

    def changed(error: Exception, attempt: int, policy: Any, spread: float = 0.0) -> Any:
        return change(settlement_for(error, attempt, policy, spread), error)

    delivery.settlement_for = changed


_OUTAGE: dict[str, Any] = {"faults": ("too many connections",), "count": 4, "loads": ("small", "slow")}


@_plant("dead letter instead of retry", "dead for nothing", **_OUTAGE)
def _dead_instead() -> None:
    from worker.message.settlement import DeadLetter, RetryLater

    _settlements(lambda it, _: DeadLetter(it.reason, it.description) if isinstance(it, RetryLater) else it)


@_plant("retry instead of dead letter", *_STUCK, loads=("missing", "small"))
def _retry_instead() -> None:
    from datetime import timedelta

    from worker.message.settlement import DeadLetter, RetryLater

    def changed(it: Any, _: Exception | None) -> Any:
        return RetryLater(timedelta(seconds=1), it.reason, it.description) if isinstance(it, DeadLetter) else it

    _settlements(changed)


@_plant("a failed export counts as done", "lost", "no blob", **_OUTAGE)
def _failure_is_done() -> None:
    from worker.message import report
    from worker.message.settlement import Complete, RetryLater

    report.failed = lambda *_: None
    _settlements(lambda it, _: Complete("exported") if isinstance(it, RetryLater) else it)


@_plant("dead letters have no reason", "wrong reason", loads=("missing", "bad body", "small"))
def _no_reason() -> None:
    from worker.message.settlement import DeadLetter

    _settlements(lambda it, _: replace(it, reason="", description="") if isinstance(it, DeadLetter) else it)


@_plant("any dead letter is an unexpected error", "wrong reason", loads=("missing", "bad body", "small"))
def _one_reason() -> None:
    from worker.message.settlement import DeadLetter

    _settlements(lambda it, _: replace(it, reason="UnexpectedError") if isinstance(it, DeadLetter) else it)


@_plant(
    "complete before the clone", "lost", "no blob",
    faults=("PostgreSQL refuses", "broker refuses new connections"), count=24, loads=("small",), requests=60,
)  # fmt: skip
def _complete_first() -> None:
    from worker import slot
    from worker.message.settle import settle
    from worker.message.settlement import RetryLater

    def hasty(settler: Any, settlement: Any) -> None:
        if isinstance(settlement, RetryLater):
            settler.complete()
            settler.schedule_clone(settlement)
        else:
            settle(settler, settlement)

    slot.settle = hasty


@_plant("no clone is scheduled", "lost", "no blob", **_OUTAGE)
def _no_clone() -> None:
    from worker.message.retry import RetryQueue

    RetryQueue.schedule = lambda *_: None  # type: ignore[method-assign]


@_plant("the clone has an empty body", "dead for nothing", **_OUTAGE)
def _empty_clone() -> None:
    from worker.message.retry import RetryQueue

    schedule = RetryQueue.schedule
    RetryQueue.schedule = lambda self, delivery, retry: schedule(  # type: ignore[method-assign]
        self, replace(delivery, body=b"{}"), retry
    )


@_plant("messages are abandoned instead of completed", "dead for nothing", *_STUCK, loads=("small",))
def _never_completed() -> None:
    from worker.slot import ReceiverSettler

    ReceiverSettler.complete = ReceiverSettler.abandon  # type: ignore[method-assign]


@_plant("messages are completed before their export", "lost", "no blob", faults=("worker killed",), count=8,
        loads=("slow", "long"))  # fmt: skip
def _completed_early() -> None:
    from worker.slot import Slot

    handle = Slot._handle

    def early(self: Any, receiver: Any, message: Any) -> None:
        receiver.complete_message(message)
        receiver.complete_message = lambda _: None
        handle(self, receiver, message)
        del receiver.complete_message

    Slot._handle = early  # type: ignore[method-assign]


@_plant("the lock is not renewed", "two readers", "commit in vain", loads=("long",), requests=4)
def _not_renewed() -> None:
    from worker import slot

    @contextmanager
    def unheld(*_: Any) -> Iterator[None]:
        yield

    slot.held_lock = unheld


# --- whose blob it is


def _outcomes(change: Callable[[Any, Any, Callable[..., Any]], Any]) -> None:
    from worker import export

    outcome = export._outcome_of
    export._outcome_of = lambda found, request: change(found, request, outcome)


@_plant(
    "one's own blob is taken for another's", "dead for nothing",
    faults=("answer to a commit lost",), count=8, loads=("small", "slow"),
)  # fmt: skip
def _own_is_foreign() -> None:
    from uuid import UUID

    def foreign(found: Any, request: Any, outcome: Callable[..., Any]) -> Any:
        receipt = found.receipt and found.receipt.model_copy(update={"request_id": UUID(int=1)})
        return outcome(replace(found, receipt=receipt), request)

    _outcomes(foreign)


@_plant("another's blob is replaced", "overwritten", "no dead letter", loads=("foreign",), requests=4)
def _overwritten() -> None:
    _outcomes(lambda _found, _request, _outcome: None)


@_plant("an older run replaces a newer one", "older run won", loads=("replaced",), requests=16)
def _older_wins() -> None:
    _outcomes(lambda _found, _request, _outcome: None)


@_plant("another's blob counts as done", "no dead letter", "lost", loads=("foreign", "small"), requests=4)
def _foreign_is_done() -> None:
    from worker import export

    def done(found: Any, request: Any, outcome: Callable[..., Any]) -> Any:
        receipt = found.receipt
        if receipt is None:
            from types import SimpleNamespace

            quiet = SimpleNamespace(rows=0, blob_bytes=0, csv_bytes=0, parts=(), job=request.job)
            return export.Exported("already-there", quiet)  # type: ignore[arg-type]
        return outcome(found, request)

    _outcomes(done)


# --- the process


@_plant(
    "a slot ends at its first failure", *_STUCK,
    faults=("broker refuses", "connections dropped"), count=10, loads=("small", "slow"), requests=14,
)  # fmt: skip
def _slot_ends() -> None:
    from worker.slot import Slot

    def once(self: Any) -> None:
        try:
            self._receive()
        except Exception:  # noqa: BLE001
            self._stopping.wait()

    Slot.work = once  # type: ignore[method-assign]


@_plant("the worker ends when PostgreSQL is away", "worker ended", *_STUCK, **_OUTAGE)
def _worker_ends() -> None:
    import os

    from worker.message.settlement import RetryLater

    def ended(it: Any, _: Exception | None) -> Any:
        if isinstance(it, RetryLater):
            os._exit(3)
        return it

    _settlements(ended)


@_plant("a worker does not end at SIGTERM", "SIGTERM", faults=("worker terminated",), count=1, loads=("small",))
def _deaf() -> None:
    from worker.container import Consumer

    Consumer.stop = lambda _: None  # type: ignore[method-assign]


@_plant("each export leaves memory behind", "memory", loads=("small",), requests=120, over_s=16.0)
def _leak() -> None:
    from worker import export

    left, upload = [], export._upload

    def leaking(*arguments: Any) -> Any:
        left.append(b"x" * (4 << 20))
        return upload(*arguments)

    export._upload = leaking


@_plant("an error of any kind is a traceback", "unclassified error", "dead for nothing", **_OUTAGE)
def _unclassified() -> None:
    from worker import export

    run = export._upload

    def raw(*arguments: Any) -> Any:
        try:
            return run(*arguments)
        except Exception as error:
            raise KeyError(str(error)) from error

    export._upload = raw
