"""Which windows have rows in a table already: told to whom a restore refuses one of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from contracts.receipt import Receipt
from operations.target import RestoreRefused
from producer.ask import some_of

_NAMED = 5  # windows of a kind
# One pass over the rows of the range, however many windows it has.
_COUNTS = """
    SELECT width_bucket({column}, %(bounds)s), count(*) FROM {table}
    WHERE {column} >= %(first)s AND {column} < %(last)s GROUP BY 1"""


class RowsThere(RestoreRefused):
    """The table holds other rows of a window than its blob has."""


def said_of_range(connection: psycopg.Connection[Any], table: sql.Identifier, receipts: Iterable[Receipt]) -> str:
    """How many of these windows have rows in the table, and which. They do not overlap, and are of one column."""
    windows = [(one.window, one.rows) for one in receipts if one.window]
    bounds = sorted({bound for window, _ in windows for bound in window.bounds()})  # type: ignore[type-var]  # of one type
    column = sql.Identifier(windows[0][0].column)
    counted = sql.SQL(_COUNTS).format(column=column, table=table)
    values = {"bounds": bounds, "first": bounds[0], "last": bounds[-1]}
    found = {bounds[place - 1]: count for place, count in connection.execute(counted, values).fetchall()}
    others, whole = list[str](), list[str]()
    for window, rows in windows:
        start = str(window.model_dump(mode="json")["start"])
        count = found.get(window.bounds()[0], 0)
        if count == rows and count:
            whole.append(start)
        elif count:
            others.append(f"{start}: {count:,} of {rows:,}")
    return _in_words(len(windows), others, whole)


def _in_words(windows: int, others: Sequence[str], whole: Sequence[str]) -> str:
    """The counts of a range.

    >>> _in_words(9, ["1: 2 of 3"], ["4", "5"])
    'of the 9 windows of the range 1 has other rows (1: 2 of 3), 2 have all of their rows (4, 5), and 6 have none'
    >>> _in_words(1, ["1: 2 of 3"], [])
    'of the 1 window of the range 1 has other rows (1: 2 of 3), and none is empty'
    """
    empty = windows - len(others) - len(whole)
    parts = [f"{len(others):,} {_have(others)} other rows ({some_of(others, _NAMED)})"] if others else []
    if whole:
        whose = "its" if len(whole) == 1 else "their"
        parts.append(f"{len(whole):,} {_have(whole)} all of {whose} rows ({some_of(whole, _NAMED)})")
    last = f"{empty:,} {'has' if empty == 1 else 'have'} none" if empty else "none is empty"
    of = f"of the {windows:,} {'window' if windows == 1 else 'windows'} of the range"
    return f"{of} {', '.join([*parts, f'and {last}'])}"


def _have(found: Sequence[str]) -> str:
    return "has" if len(found) == 1 else "have"
