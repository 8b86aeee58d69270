"""All rows in memory at once, and zipped there. It needs about 1.6 GB for a million rows, so it exports a quarter."""

from collections.abc import Iterator

from bench.contender import Contender, needs
from bench.job import Job

SHARE = 0.25


def fetch_all(job: Job) -> Iterator[None]:
    import csv
    import io
    import zipfile

    import psycopg2

    blob = job.blob_client()
    yield
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {job.schema}.{job.table} LIMIT {int(job.rows * SHARE)}")
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(column.name for column in cursor.description or ())
        writer.writerows(cursor.fetchall())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{job.table}.csv", text.getvalue())
    blob.upload_blob(packed.getvalue())
    connection.close()


CONTENDERS = (
    Contender(
        "fetchall, csv.writer, zipfile in memory (a quarter of the rows; time x 4)",
        fetch_all,
        suffix=".zip",
        share=SHARE,
        missing=needs("psycopg2", "azure.storage.blob"),
        full=False,
    ),
)
