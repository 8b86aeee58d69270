"""Edge: the rows of a Parquet file that arrives in pieces. Needs the extra `parquet`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts.errors import ConfigurationError

if TYPE_CHECKING:
    from pyarrow import Array
    from pyarrow.parquet import ParquetFile

# The first of January 1970 as a Julian day: PostgreSQL reads those of all its years, in any DateStyle.
_EPOCH = 2440588
_DAY = 86_400_000_000


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
            yield from zip(*map(_values, batch.columns), strict=True)


def _values(column: "Array") -> list[object]:
    """Python's values; texts that PostgreSQL reads if a day or time lies outside of Python's years, 1 to 9999."""
    try:
        return list(column.to_pylist())
    except OverflowError:
        import pyarrow as pa

        text = _day if "date32" in str(column.type) else _time
        number = pa.int32() if text is _day else pa.int64()
        listed = pa.types.is_list(column.type)
        numbers = column.cast(pa.list_(number) if listed else number).to_pylist()
        return [value and list(map(text, value)) for value in numbers] if listed else list(map(text, numbers))


def _day(days: int | None) -> str | None:
    return None if days is None else f"J{_EPOCH + days}"


def _time(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    days, rest = divmod(microseconds, _DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    return f"J{_EPOCH + days} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:06}+00"


def count_parquet(pieces: Iterator[bytes]) -> int:
    """Decodes every row group and returns how many rows there are."""
    with parquet_file(pieces) as file:
        return sum(file.read_row_group(group).num_rows for group in range(file.num_row_groups))
