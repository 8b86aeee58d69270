"""Row groups as one Parquet file, by Arrow's own writer, which leaves the GIL alone. Imports pyarrow."""

import io
from collections import deque
from collections.abc import Buffer, Iterable, Iterator
from typing import override

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from worker.blob.blocks import PartUpload

# A column has a dictionary if each of its values occurs so often on average. Below, a dictionary costs more time than
# it saves; for ids and times, which occur once, the file is larger with it, too.
_DICTIONARY_FROM = 3


def write_groups(streams: Iterable[Iterator[pa.RecordBatch]], schema: pa.Schema, part: PartUpload) -> int:
    """Writes the file and returns how many rows it has.

    Row groups of the streams take turns, so that the same data gives the same file.
    """
    rows = 0
    groups = _in_turn(streams)
    group = next(groups, None)
    repetitive = _repetitive(group, schema) if group else []
    with pq.ParquetWriter(
        _Output(part),
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=repetitive,
        write_statistics=[*repetitive, *_of_one_width(schema)],
    ) as writer:
        while group:
            writer.write_table(pa.Table.from_batches([group]), row_group_size=group.num_rows)
            rows += group.num_rows
            # Its memory is freed before the next one is awaited.
            group = None
            group = next(groups, None)
    return rows


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


def _of_one_width(schema: pa.Schema) -> list[str]:
    """The columns of numbers, times and ids, which always get statistics.

    Of texts only those that repeat do: Arrow copies the least and the greatest value twice each, and one of them may
    take a gigabyte.
    """
    names = []
    for field in schema:
        storage = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
        if pa.types.is_primitive(storage) or pa.types.is_decimal(storage) or pa.types.is_fixed_size_binary(storage):
            names.append(field.name)
    return names


def _repetitive(group: pa.RecordBatch, schema: pa.Schema) -> list[str]:
    """Paths of the columns that get a dictionary, going by the first row group.

    A column of NULLs gets one, since its values are yet to be seen: the writer gives up a dictionary that grows large.
    """
    paths = []
    for field, column in zip(schema, group.columns, strict=True):
        path, values = field.name, column
        if pa.types.is_list(field.type):
            path, values = f"{path}.list.element", pc.list_flatten(column)
        if isinstance(values.type, pa.BaseExtensionType):
            values = values.storage
        if pc.count_distinct(values).as_py() * _DICTIONARY_FROM <= len(values) - values.null_count:
            paths.append(path)
    return paths


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
