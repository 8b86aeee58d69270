"""Decompresses each format with an independent library, also runs that are joined end to end."""

import csv
import gzip
import io
from collections.abc import Callable

import zstandard

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
    "none": bytes,
}


def csv_of_parquet(data: bytes) -> bytes:
    """The rows of a Parquet file as PostgreSQL's CSV has them, if no value is an empty text."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return out.getvalue().encode()
