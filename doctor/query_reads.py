"""Edge: the tables and columns that a query reads, according to PostgreSQL."""

from typing import Any

import psycopg
from psycopg import sql

from contracts.job import BOUND, ExportJob
from doctor.reads import TableRead

# A view records its dependencies, and defining one needs no right to read them; EXPLAIN would need SELECT.
_DEPENDS = """
    SELECT n.nspname, c.relname, array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attnum > 0)
    FROM pg_rewrite AS w
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
    JOIN pg_class AS c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid AND c.oid <> w.ev_class
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
    WHERE w.ev_class = 'pg_temp.tailrace_reads'::regclass
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    GROUP BY n.nspname, c.relname"""


def query_reads(connection: psycopg.Connection[Any], job: ExportJob) -> list[TableRead]:
    """The tables of a query job, with the columns that it names; leaves the database unchanged.

    The role needs USAGE on their schemas and TEMP on the database. Raises psycopg.Error.
    """
    assert job.query is not None
    text = BOUND.sub("NULL", job.query.strip().rstrip(";").rstrip())
    view = sql.SQL("CREATE TEMP VIEW tailrace_reads AS SELECT count(*) FROM (\n{}\n) AS query").format(
        sql.SQL(text)  # the operator's own text from jobs.toml
    )
    with connection.transaction(force_rollback=True):
        connection.execute("SET TRANSACTION READ WRITE")
        connection.execute(view)
        found = connection.execute(_DEPENDS).fetchall()
    return [TableRead(schema, table, tuple(columns or ()) or None, (job.name,)) for schema, table, columns in found]
