"""What people write in Python: one COPY, the standard library's gzip or a faster one, and the storage SDK."""

from collections.abc import Iterator

from bench.contender import Contender, needs
from bench.job import Job

_SPOOL_BYTES = 64 << 20
_PIPE_BYTES = 1 << 20


def spooled(job: Job) -> Iterator[None]:
    """The recipe of most answers: psycopg2's copy_expert into gzip in a temporary file, which is then uploaded."""
    import gzip
    import tempfile

    import psycopg2

    blob = job.blob_client()
    yield
    with psycopg2.connect("") as connection, tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        with gzip.open(spool, "wb") as packed, connection.cursor() as cursor:
            cursor.copy_expert(job.copy, packed)
        spool.seek(0)
        blob.upload_blob(spool)
    connection.close()


def piped(job: Job) -> Iterator[None]:
    """The fastest known: copy_expert through ISA-L into a pipe, and the upload reads the pipe's other end."""
    import os
    from concurrent.futures import ThreadPoolExecutor
    from io import BufferedWriter

    import psycopg2
    from isal import igzip

    blob = job.blob_client()
    yield
    reading, writing = os.pipe()

    def copy() -> None:
        with os.fdopen(writing, "wb") as end, igzip.open(end, "wb", compresslevel=2) as packed:  # type: ignore[no-untyped-call]
            with BufferedWriter(packed, _PIPE_BYTES) as rows, psycopg2.connect("") as connection:
                with connection.cursor() as cursor:
                    cursor.copy_expert(job.copy, rows)

    with ThreadPoolExecutor(1) as threads, os.fdopen(reading, "rb") as end:
        copied = threads.submit(copy)
        blob.upload_blob(end)
        copied.result()


def psycopg3(job: Job) -> Iterator[None]:
    """The loop of psycopg 3's manual into gzip -6 in a temporary file, which is then uploaded."""
    import gzip
    import tempfile

    import psycopg

    blob = job.blob_client()
    yield
    with psycopg.connect("") as connection, tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
        with gzip.open(spool, "wb", compresslevel=6) as packed, connection.cursor() as cursor:
            with cursor.copy(job.copy.encode()) as copy:
                for data in copy:
                    packed.write(data)
        spool.seek(0)
        blob.upload_blob(spool)


CONTENDERS = (
    Contender(
        "psycopg2 copy_expert, gzip 9, spooled", spooled, missing=needs("psycopg2", "azure.storage.blob"), quick=True
    ),
    Contender("psycopg2 copy_expert, pipe, isal 2", piped, missing=needs("psycopg2", "azure.storage.blob", "isal")),
    Contender("psycopg 3 for data in copy, gzip 6", psycopg3, missing=needs("psycopg", "azure.storage.blob")),
)
