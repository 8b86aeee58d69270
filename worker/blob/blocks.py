"""Edge: the blocks of an upload, staged by threads out of a fixed number of buffers."""

from collections.abc import Buffer, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from hashlib import sha256
from mmap import mmap
from queue import Empty, SimpleQueue
from threading import Condition
from time import perf_counter
from typing import TYPE_CHECKING

from connections.storage import storage_errors
from contracts.errors import SinkRejected
from contracts.receipt import Part
from telemetry.waits import waiting_for
from worker.blob.buffers import BLOCK_BYTES, DOUBLE_AFTER, MAX_BLOCKS
from worker.blob.pace import Pace
from worker.heap import pages

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient


class Staging:
    """Stages the blocks of one upload, as many at a time as `pace` allows. Safe for threads.

    Buffers are filled, staged and filled again: allocating and freeing them for each block would fragment
    the heap, and memory would grow with the blob.
    """

    def __init__(self, blob: "BlobClient", subject: str, threads: ThreadPoolExecutor, pace: Pace) -> None:
        self.blob = blob
        self.subject = subject
        # Counted by all writing threads without a lock: it decides sizes only, and may be off by a few.
        self._blocks = 0
        self._threads = threads
        self._pace = pace
        # Guards the two below. Staging threads change and notify it, writing ones wait for it, and so do rests.
        self._landing = Condition()
        self._in_flight = 0
        self._sending = 0
        # Staging threads put buffers back, writing ones take them.
        self._buffers: SimpleQueue[mmap] = SimpleQueue()

    def buffer(self) -> mmap:
        """A buffer of a block's size. Blocks grow with the blob, so that Azure's number of them is enough for any."""
        size = BLOCK_BYTES << self._blocks // DOUBLE_AFTER
        self._blocks += 1
        with suppress(Empty):
            while len(used := self._buffers.get_nowait()) < size:
                pass
            return used
        return pages(size)

    def stage(self, block_id: str, buffer: mmap, size: int) -> Future[None]:
        """Puts the first `size` bytes as one block, in a thread; waits until one is free."""
        with self._landing:
            self._landing.wait_for(lambda: self._in_flight < self._pace.blocks_at_once(len(buffer)))
            self._in_flight += 1
        staged = self._threads.submit(self._put_block, block_id, buffer, size)
        staged.add_done_callback(lambda _: self._landed())
        return staged

    def too_large(self) -> SinkRejected:
        """The error of a blob with too many blocks."""
        return SinkRejected(
            f"upload of {self.subject!r} was stopped: a blob holds at most {MAX_BLOCKS:,} blocks",
            advice="export it by smaller windows",
            reason="BlobTooLarge",
        )

    def _put_block(self, block_id: str, buffer: mmap, size: int) -> None:
        with (
            self._departed(is_rest=size < len(buffer)),
            memoryview(buffer)[:size] as block,
            storage_errors("upload", self.subject),
            waiting_for("storage: upload of a block"),
        ):
            began = perf_counter()
            # http.client takes any buffer, though the SDK's signature does not say so.
            self.blob.stage_block(block_id, block, length=size)  # type: ignore[arg-type]
        self._pace.staged(perf_counter() - began)
        self._buffers.put(buffer)

    @contextmanager
    def _departed(self, *, is_rest: bool) -> Iterator[None]:
        """For the time that a block is sent. A rest waits for a connection: the window of a new one has yet to grow.

        A block of 4 MiB takes some ten round trips on a new connection to a far storage, and two on one that has sent
        others. A rest decides when the export ends, and those before it have left already.
        """
        with self._landing:
            self._landing.wait_for(lambda: not is_rest or self._sending < max(1, self._pace.connections))
            self._sending += 1
        try:
            yield
        finally:
            with self._landing:
                self._sending -= 1
                self._landing.notify_all()

    def _landed(self) -> None:
        with self._landing:
            self._in_flight -= 1
            self._landing.notify_all()


class PartUpload:
    """One part of the blob, written by one thread."""

    def __init__(self, staging: Staging, prefix: str, *, is_alone: bool) -> None:
        """`prefix` begins the ids of its blocks; `is_alone` is whether it may turn out to be the only part."""
        self._is_alone = is_alone
        self._staging = staging
        self._prefix = prefix
        # None while nothing is in it.
        self._buffer: mmap | None = None
        self._filled = 0
        self._bytes = 0
        self._digest = sha256()
        self._staged: list[Future[None]] = []
        self.block_ids: list[str] = []

    @property
    def rest(self) -> memoryview:
        """The bytes that are not staged yet."""
        return memoryview(self._buffer or b"")[: self._filled]

    def write(self, data: Buffer) -> None:
        """Takes a copy of some bytes. Raises what an earlier block met."""
        view = memoryview(data)
        self._digest.update(view)
        self._bytes += len(view)
        while view:
            self._buffer = self._buffer or self._staging.buffer()
            taken = min(len(view), len(self._buffer) - self._filled)
            self._buffer[self._filled : self._filled + taken] = view[:taken]
            self._filled += taken
            view = view[taken:]
            if self._filled == len(self._buffer):
                self._stage()

    def finished(self, rows: int, csv_bytes: int, row_hash: int | None) -> Part:
        """What the receipt says of this part; nothing is written to it after this."""
        if self.block_ids or not self._is_alone:
            # Or its buffer would wait for the commit while other parts are written.
            self.stage_rest()
        sha256 = self._digest.hexdigest()
        return Part(rows=rows, csv_bytes=csv_bytes, blob_bytes=self._bytes, sha256=sha256, row_hash=row_hash)

    def stage_rest(self) -> None:
        """Stages what is left."""
        if self._filled:
            self._stage()

    def wait(self) -> None:
        """Returns when all blocks of the part are staged, or raises what one of them met."""
        for staged in self._staged:
            staged.result()

    def drain(self) -> None:
        """Waits until no thread works for this part."""
        wait(self._staged)

    def _stage(self) -> None:
        assert self._buffer is not None
        if len(self.block_ids) == MAX_BLOCKS:
            raise self._staging.too_large()
        unfinished = [staged for staged in self._staged if not staged.done()]
        for staged in self._staged:
            if staged not in unfinished:
                staged.result()
        self.block_ids.append(f"{self._prefix}-{len(self.block_ids):06d}")
        self._staged = [*unfinished, self._staging.stage(self.block_ids[-1], self._buffer, self._filled)]
        self._buffer, self._filled = None, 0
