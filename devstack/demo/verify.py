"""Loads every blob back into PostgreSQL and compares it with the source, row by row."""

import gzip
import io
from dataclasses import dataclass

import psycopg
from azure.storage.blob import ContainerClient
from psycopg import sql

_SOURCE, _LOADED = sql.Identifier("events", "bannerclicked"), sql.Identifier("loaded", "bannerclicked")
_COPY = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER match)").format(_LOADED)
# The count finds rows that came twice; the join finds rows that are missing, too many, or different.
_COMPARE = sql.SQL("""
    select (select count(*) from {source}), (select count(*) from {loaded}), count(*)
    from {source} as source full join {loaded} as loaded using (id)
    where source is distinct from loaded""").format(source=_SOURCE, loaded=_LOADED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows of the source, rows loaded back from the blobs, and rows that differ between the two."""

    source: int
    loaded: int
    different: int

    @property
    def is_equal(self) -> bool:
        """Whether the blobs hold exactly the source's rows."""
        return self.different == 0 and self.source == self.loaded > 0


def compare_with_blobs(connection: psycopg.Connection, container: ContainerClient, names: list[str]) -> Comparison:
    """Loads the blobs of these names into loaded.bannerclicked, and compares."""
    for name in names:
        data = container.download_blob(name).readall()
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy, gzip.open(io.BytesIO(data)) as lines:
            while chunk := lines.read(1 << 20):
                copy.write(chunk)
    counts = connection.execute(_COMPARE).fetchone()
    assert counts is not None
    return Comparison(*counts)
