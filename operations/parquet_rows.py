"""Edge: the rows of a Parquet file that arrives in pieces. Needs the extra `parquet`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile


@contextmanager
def parquet_file(pieces: Iterator[bytes]) -> "Iterator[ParquetFile]":
    """The file, on disk meanwhile: Parquet is read from its end. Raises ValueError if it is damaged."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigurationError(
            "Parquet cannot be read here: the package pyarrow is missing", advice="pip install 'tailrace[parquet]'"
        ) from None
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        try:
            yield parquet.ParquetFile(file)
        except pa.ArrowException as error:
            raise ValueError(str(error).partition("\n")[0]) from error


def parquet_rows(pieces: Iterator[bytes]) -> Iterator[tuple[object, ...]]:
    """The rows as Python's values, a row group in memory at a time."""
    with parquet_file(pieces) as file:
        for batch in file.iter_batches(batch_size=8192):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def count_parquet(pieces: Iterator[bytes]) -> int:
    """Decodes every row group and returns how many rows there are."""
    with parquet_file(pieces) as file:
        return sum(file.read_row_group(group).num_rows for group in range(file.num_row_groups))
