"""Large values: whether a row of them fits into the memory of an instance."""

from collections.abc import Iterator
from typing import Any

import psycopg

from contracts.job import ExportJob
from doctor.finding import Check, Finding, ok, warning
from doctor.reads import TableRead
from doctor.session import session
from doctor.site import Site

# A row takes so many times its size while it is exported.
_TIMES = {"csv": 2, "parquet": 4}
# Values are seldom all of one size: the largest is taken to be so many times the average.
_SPREAD = 4
_LARGEST = 1 << 30  # bytes of a value, PostgreSQL's own limit
# Statistics say nothing of the sizes of values that are stored out of line, but their bytes a row follow from the sizes
# of relations; of a partitioned table, the partition counts that has the most. A table has no count of rows until it is
# analyzed.
_OUT_OF_LINE = """
    SELECT max(pg_relation_size(c.reltoastrelid) / c.reltuples)
    FROM pg_class AS parent JOIN pg_namespace AS n ON n.oid = parent.relnamespace
    JOIN pg_class AS c ON c.oid = parent.oid OR c.oid IN (SELECT relid FROM pg_partition_tree(parent.oid))
    WHERE n.nspname = %s AND parent.relname = %s AND c.reltoastrelid <> 0 AND c.reltuples > 0"""


def large_rows_fit(site: Site) -> Iterator[Finding]:
    """The largest rows that the statistics let expect, against the memory that an instance has for an export."""
    plan = site.plan
    if plan is None:
        yield ok("large rows", "not compared: the memory of an instance is in deploy/capacity.json, which is not here")
        return
    room = min(plan[kind]["memory_mb"] / plan[kind]["exports_at_once"] for kind in ("functions", "containers"))
    with session(site.settings, site.password) as connection:
        wide = [finding for job in site.jobs.values() for finding in _too_large(connection, job, int(room * (1 << 20)))]
    yield from wide or [ok("large rows", f"those expected fit into {room:,.0f} MiB for an export")]


def _too_large(connection: psycopg.Connection[Any], job: ExportJob, room: int) -> Iterator[Finding]:
    read = TableRead.of(job)
    row = connection.execute(_OUT_OF_LINE.encode(), (read.schema, read.table)).fetchone() if read else None
    if read is None or row is None or row[0] is None:
        return
    average, times = int(row[0]), _TIMES[job.output.format]
    needed = times * min(_SPREAD * average, _LARGEST)
    if needed > room:
        says = (
            f"{read.name} stores {_mib(average)} MiB a row out of line on average; a row {_SPREAD} times as large "
            f"takes {_mib(needed)} MiB, {times} times its size, of the {_mib(room)} MiB that an export has"
        )
        fix = "raise memory_mb or lower exports_at_once in deploy/capacity.json, or leave the column out by columns"
        yield warning(f"rows of {job.name}", says, fix)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f}"


CHECKS = (Check("large rows", large_rows_fit, needs=("postgres login", "jobs")),)
