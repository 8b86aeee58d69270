"""How the columns of a Parquet file are encoded: what the job says, else what its first row group shows."""

import io
import math
from collections.abc import Buffer, Iterable, Iterator, Mapping
from typing import Any, override

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import SourceRejected
from contracts.output import Output
from worker.blob.buffers import GROUP_BYTES

# A column has a dictionary if that saves a third of its bytes before compression. Else it costs more time than it
# saves, and ids and times, which occur once, take more room with it.
_SAVES = (2, 3)

# A bloom filter is made for so many values at least, since a large first row may be a row group of its own. In the file
# it takes what its values need.
_LEAST_VALUES = 16_384


def check_columns(output: Output, schema: pa.Schema, subject: str) -> None:
    """Raises SourceRejected if a key of the output names a column that the file lacks, or that cannot have it."""
    refused = f"export of {subject} was refused: output."
    for key, name in output.named_columns:
        if name not in schema.names:
            advice = f"correct output.{key} in jobs.toml; the columns are {_listed(schema.names)}"
            says = f"{refused}{key} names the column {name!r}, which is not there"
            raise SourceRejected(says, advice=advice, reason="ColumnMissing")
    for name in output.false_positives:
        if pa.types.is_boolean(_leaf_type(schema.field(name).type)):
            says = f"{refused}bloom_filters names the column {name!r}, and a boolean has no bloom filter"
            advice = f"remove {name!r} from output.bloom_filters in jobs.toml"
            raise SourceRejected(says, advice=advice, reason="NotSupported")


def _listed(names: list[str]) -> str:
    """The first names, for a message."""
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def writer_options(output: Output, schema: pa.Schema, first: pa.RecordBatch | None) -> dict[str, Any]:
    """Arguments of pq.ParquetWriter for a file whose first row group is `first`, if it has any."""
    by_sight = first is not None and (output.dictionary is None or output.statistics is None)
    repetitive = list(_repetitive(first)) if first is not None and by_sight else []
    default = [*repetitive, *_of_one_width(schema)]
    options = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": _paths(schema, repetitive if output.dictionary is None else output.dictionary),
        "write_statistics": _paths(schema, default if output.statistics is None else output.statistics),
    }
    if first is not None and output.false_positives:
        options["bloom_filter_options"] = {
            _path(schema.field(name)): {"ndv": max(_LEAST_VALUES, len(_leaf(first.column(name)))), "fpp": probability}
            for name, probability in output.false_positives.items()
        }
    return options


def filters_bytes(options: Mapping[str, Any]) -> int:
    """The memory that the bloom filters of one row group take until the file ends.

    Arrow takes the power of two above the size of a split block filter (Parquet's BloomFilter.md).

    >>> filters_bytes({"bloom_filter_options": {"id": {"ndv": 40_000, "fpp": 0.01}, "kind": {"ndv": 100, "fpp": 0.1}}})
    65664
    """
    return sum(
        1 << math.ceil(math.log2(max(32, -one["ndv"] / math.log1p(-(one["fpp"] ** 0.125)))))
        for one in options.get("bloom_filter_options", {}).values()
    )


def _paths(schema: pa.Schema, columns: bool | Iterable[str]) -> bool | list[str]:
    return columns if isinstance(columns, bool) else [_path(schema.field(name)) for name in columns]


def _path(field: pa.Field) -> str:
    """What Parquet calls the column that holds the values."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else str(field.name)


def _of_one_width(schema: pa.Schema) -> Iterator[str]:
    """The columns of numbers, times and ids, which have statistics by default.

    Of texts only those that repeat do: Arrow copies the least and the greatest value twice each, and one of them may
    take a gigabyte.
    """
    for field in schema:
        type_ = _storage_type(field.type)
        if pa.types.is_primitive(type_) or pa.types.is_decimal(type_) or pa.types.is_fixed_size_binary(type_):
            yield field.name


def _repetitive(group: pa.RecordBatch) -> Iterator[str]:
    """The columns that a dictionary makes smaller: each one is written with and without it, and discarded.

    A column of NULLs is one, since its values are yet to be seen: the writer gives up a dictionary that grows large.
    Counting different values takes pyarrow.compute, which is 13 MB of memory.
    """
    part, whole = _SAVES
    for field, column in zip(group.schema, group.columns, strict=True):
        # A large value repeats seldom, and encoding it would take its size once more.
        if column.nbytes > 2 * GROUP_BYTES:
            continue
        one = pa.Table.from_arrays([column], schema=pa.schema([field]))
        is_null = column.null_count == len(column)
        if is_null or _size(one, use_dictionary=True) * whole <= _size(one, use_dictionary=False) * part:
            yield field.name


def _size(table: pa.Table, *, use_dictionary: bool) -> int:
    """The bytes of a table of one column in a row group, before compression."""
    made: list[pq.FileMetaData] = []
    with pq.ParquetWriter(
        _Nowhere(),
        table.schema,
        compression="none",
        use_dictionary=use_dictionary,
        write_statistics=False,
        metadata_collector=made,
    ) as writer:
        writer.write_table(table, row_group_size=table.num_rows)
    return int(made[0].row_group(0).column(0).total_uncompressed_size)


def _storage_type(type_: pa.DataType) -> pa.DataType:
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def _leaf_type(type_: pa.DataType) -> pa.DataType:
    return _storage_type(type_.value_type if pa.types.is_list(type_) else type_)


def _leaf(column: pa.Array) -> pa.Array:
    """A column's values, or the elements of its lists."""
    return column.flatten() if pa.types.is_list(column.type) else column


class _Nowhere(io.RawIOBase):
    """A file whose bytes are discarded."""

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Buffer, /) -> int:
        return len(memoryview(data))
