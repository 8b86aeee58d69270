"""Pure: the tables and columns that jobs read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from contracts.job import ExportJob
from contracts.jobs_file import Jobs


@dataclass(frozen=True, slots=True)
class TableRead:
    """A table and the columns that jobs read, in the jobs' order; None is all columns, including later ones."""

    schema: str
    table: str
    columns: tuple[str, ...] | None
    jobs: tuple[str, ...]

    @classmethod
    def of(cls, job: ExportJob) -> Self | None:
        """The read of a job for a table; None for a query, whose tables only PostgreSQL knows.

        The column of the window is read too: an export compares it with the window's bounds.
        """
        if job.schema_name is None or job.table is None:
            return None
        columns = job.columns
        if columns is not None and job.window is not None and job.window.column not in columns:
            columns = (*columns, job.window.column)
        return cls(job.schema_name, job.table, columns, (job.name,))

    def merged(self, other: "TableRead") -> "TableRead":
        """The union of two reads of one table."""
        columns = None
        if self.columns is not None and other.columns is not None:
            columns = tuple(dict.fromkeys(self.columns + other.columns))
        return TableRead(self.schema, self.table, columns, tuple(dict.fromkeys(self.jobs + other.jobs)))

    @property
    def name(self) -> str:
        """schema.table, for messages."""
        return f"{self.schema}.{self.table}"


def tables_read(jobs: Jobs) -> list[TableRead]:
    """Every table that jobs name, once, by schema and table.

    >>> from contracts.jobs_file import parse_jobs
    >>> job = {"schema": "s", "table": "t", "if_exists": "replace"}
    >>> a, b = ({**job, "name": name, "blob": name, "columns": [name]} for name in "ab")
    >>> tables_read(parse_jobs({"job": [a, b]}))
    [TableRead(schema='s', table='t', columns=('a', 'b'), jobs=('a', 'b'))]
    """
    return once_each(read for job in jobs.values() if (read := TableRead.of(job)) is not None)


def once_each(reads: Iterable[TableRead]) -> list[TableRead]:
    """The reads with those of one table merged."""
    found: dict[tuple[str, str], TableRead] = {}
    for read in reads:
        key = (read.schema, read.table)
        found[key] = found[key].merged(read) if key in found else read
    return [found[key] for key in sorted(found)]


def query_jobs(jobs: Jobs) -> list[ExportJob]:
    """The jobs that export a query."""
    return [job for job in jobs.values() if job.query is not None]
