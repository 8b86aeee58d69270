"""Row groups as one Parquet file, by Arrow's own writer, which leaves the GIL alone. Imports pyarrow."""

import io
from collections import deque
from collections.abc import Buffer, Iterable, Iterator
from typing import override

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import SinkRejected
from contracts.output import Output
from worker.blob.blocks import PartUpload
from worker.blob.buffers import FILTERS_BYTES
from worker.formats.parquet.encodings import filters_bytes, writer_options


def write_groups(
    streams: Iterable[Iterator[pa.RecordBatch]], schema: pa.Schema, output: Output, part: PartUpload, subject: str
) -> int:
    """Writes the file and returns how many rows it has.

    Row groups of the streams take turns, so that the same data gives the same file. Raises SinkRejected if the bloom
    filters, which Arrow writes at the end of the file, outgrow their memory.
    """
    rows = filters = 0
    groups = _in_turn(streams)
    group = next(groups, None)
    options = writer_options(output, schema, group)
    with pq.ParquetWriter(_Output(part), schema, **options) as writer:
        while group:
            filters += filters_bytes(options)
            if filters > FILTERS_BYTES:
                raise _filters_too_large(subject)
            writer.write_table(pa.Table.from_batches([group]), row_group_size=group.num_rows)
            rows += group.num_rows
            # Its memory is freed before the next one is awaited.
            group = None
            group = next(groups, None)
    return rows


def _filters_too_large(subject: str) -> SinkRejected:
    return SinkRejected(
        f"export of {subject} was stopped: its bloom filters take more than {FILTERS_BYTES >> 20} MiB of memory",
        advice="export it by smaller windows, or with fewer bloom_filters or greater probabilities",
        reason="BlobTooLarge",
    )


def _in_turn(streams: Iterable[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """One row group of each stream that has some left, again and again."""
    left = deque(streams)
    while left:
        stream = left.popleft()
        if group := next(stream, None):
            left.append(stream)
            yield group
            # Or this frame would hold it while the next one is awaited.
            del group


class _Output(io.RawIOBase):
    """The file that Arrow writes."""

    def __init__(self, part: PartUpload) -> None:
        self._part = part

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Buffer, /) -> int:
        self._part.write(data)
        return len(memoryview(data))
