"""DuckDB with its postgres and azure extensions, installed as packages, so that it downloads nothing when it runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.contender import Contender, Steps
from bench.job import Job

_EXTENSIONS = ("postgres_scanner", "azure")


def _connected() -> Any:
    import importlib

    import duckdb

    connection = duckdb.connect()
    for name in _EXTENSIONS:
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = (Path(path) / "extensions" for path in package.__path__)
        connection.execute(f"LOAD '{next(file.glob(f'v{duckdb.__version__}/*.duckdb_extension'))}'")
    connection.execute("SET enable_progress_bar = false")
    return connection


def copy_to_azure(form: str) -> Steps:
    def steps(job: Job) -> Iterator[None]:
        duck = _connected()
        duck.execute(f"CREATE SECRET (TYPE azure, CONNECTION_STRING '{job.storage}')")
        yield
        duck.execute("ATTACH '' AS source (TYPE postgres, READ_ONLY)")
        duck.execute(f"COPY source.{job.schema}.{job.table} TO 'azure://{job.container}/{job.blob}' ({form})")
        duck.close()

    return steps


def _missing() -> str | None:
    try:
        _connected().close()
    except Exception as error:  # noqa: BLE001  # the extensions' errors are of many kinds
        return str(error).partition("\n")[0]
    return None


CONTENDERS = (
    Contender(
        "DuckDB, csv.gz", copy_to_azure("FORMAT csv, HEADER, COMPRESSION gzip"), suffix=".csv.gz", missing=_missing
    ),
    Contender(
        "DuckDB, Parquet zstd",
        copy_to_azure("FORMAT parquet, COMPRESSION zstd"),
        suffix=".parquet",
        missing=_missing,
    ),
)
