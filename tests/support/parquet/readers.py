"""Readers of Parquet that share no code but Arrow's layout in memory, by which they hand over what they have read."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import arro3.io
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

READERS: dict[str, Callable[[Path], pa.Table]] = {
    "Arrow in C++": lambda file: pq.ParquetFile(file).read(),
    "Arrow in Rust": lambda file: pa.table(arro3.io.read_parquet(file).read_all()),
    "DuckDB": lambda file: duckdb.sql(f"from read_parquet('{file}')").to_arrow_table(),
    "polars": lambda file: pl.read_parquet(file).to_arrow(),
}


def plain_values(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Python's values; dates, times and instants are the numbers that stand for them, since Python's years are few."""
    if isinstance(column, pa.ChunkedArray):
        return [value for chunk in column.chunks for value in plain_values(chunk)]
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        return plain_values(column.storage)
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        elements = iter(plain_values(column.flatten()))
        return [None if size is None else list(islice(elements, size)) for size in column.value_lengths().to_pylist()]
    if type_ == pa.time64("ns"):  # which is how polars holds microseconds
        column = column.cast(pa.time64("us"))
    if pa.types.is_temporal(type_):
        column = column.cast(pa.int32() if type_.bit_width == 32 else pa.int64())
    return list(column.to_pylist())
