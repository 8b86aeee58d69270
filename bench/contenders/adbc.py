"""ADBC's PostgreSQL driver gives Arrow batches, pyarrow writes them to a temporary file, which is then uploaded."""

from collections.abc import Iterator
from typing import Any

from bench.contender import Contender, Steps, needs
from bench.job import Job


def arrow(write: Any) -> Steps:
    def steps(job: Job) -> Iterator[None]:
        import tempfile

        import adbc_driver_postgresql.dbapi as adbc
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401

        blob = job.blob_client()
        yield
        with adbc.connect("postgresql://") as connection, tempfile.NamedTemporaryFile() as file:
            with connection.cursor() as cursor:
                cursor.execute(_select(cursor, f"{job.schema}.{job.table}"))
                write(cursor.fetch_record_batch(), file.name)
            blob.upload_blob(file)

    return steps


def _select(cursor: Any, table: str) -> str:
    """Types that Arrow lacks (uuid, jsonb, numeric) as text, since pyarrow writes no other."""
    import pyarrow as pa

    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    schema = cursor.fetch_record_batch().schema
    columns = (f'"{f.name}"' + "::text" * isinstance(f.type, pa.BaseExtensionType) for f in schema)
    return f"SELECT {', '.join(columns)} FROM {table}"


def _as_csv(batches: Any, path: str) -> None:
    import pyarrow as pa
    from pyarrow import csv

    with pa.CompressedOutputStream(path, "gzip") as file, csv.CSVWriter(file, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def _as_parquet(batches: Any, path: str) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(path, batches.schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


_NEEDED = needs("adbc_driver_postgresql", "pyarrow", "azure.storage.blob")
CONTENDERS = (
    Contender("ADBC + pyarrow, csv.gz", arrow(_as_csv), missing=_NEEDED),
    Contender("ADBC + pyarrow, Parquet zstd", arrow(_as_parquet), suffix=".parquet", missing=_NEEDED),
)
