"""The rows that a Parquet file would hold, counted and hashed and written nowhere. Imports pyarrow."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from worker.cancellation import Cancellation
from worker.formats.parquet.types import binary_copy, row_groups, selected_column
from worker.source.copy_out import copy_out
from worker.source.snapshot import Described


def hashed_rows(
    connection: psycopg.Connection[Any],
    selected: sql.Composed,
    described: Sequence[Described],
    subject: str,
    cancelled: Cancellation,
) -> tuple[int, int | None]:
    """How many rows `selected` has, and their hash, by the binary COPY that an export runs."""
    columns = list(map(selected_column, described))
    with copy_out(connection, binary_copy(selected, columns), header=False, cancelled=cancelled) as copy:
        for _ in copy.groups(row_groups(columns), subject):
            pass
    return copy.rows, copy.row_hash
