"""Pure: a first jobs.toml for the tables of a database, with a comment on what was chosen and why."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from contracts.jobs_file import parse_jobs
from operations.survey import Candidate, Surveyed

_GB = 1 << 30
# Exported whole each night, if no column of time speaks for windows.
_SMALL = 256 << 20
# The size that a window's export is to have at most, and the least for which shorter windows pay.
_LARGEST, _SMALLEST = 10 * _GB, 1 << 20
# Rows whose time changes move from one window to another: such a column serves nobody.
_CHANGES = re.compile(r"updat|modif|chang|delet|expir|until|valid|last|due|sched|birth|end")
_BEGINS = re.compile(r"creat|insert|occur|event|record|log|receiv|happen|order|start|time|date|at$|ts$|on$")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,29}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed for a table: windows of `every` or of `size` numbers of `column`, or the whole table."""

    table: Surveyed
    column: Candidate | None = None
    every: str | None = None
    size: int | None = None

    @property
    def shape(self) -> tuple[object, ...]:
        """Tables of one shape share an entry of jobs.toml."""
        column = (self.column.column, self.column.type) if self.column else None
        return column, self.every, self.size


def proposals(tables: Iterable[Surveyed]) -> list[Proposal]:
    """A proposal for each table that can be read."""
    return [_proposal(table) for table in tables if table.is_readable]


def _proposal(table: Surveyed) -> Proposal:
    times = sorted((one for one in table.candidates if one.type != "integer"), key=_worth, reverse=True)
    if times and _worth(times[0]) > 0:
        return Proposal(table, times[0], every=_every(table, times[0]))
    numbers = [one for one in table.candidates if one.type == "integer" and one.is_found_fast and not one.nulls]
    if numbers and table.size > _SMALL:
        return Proposal(table, numbers[0], size=_numbers(table, numbers[0]))
    return Proposal(table)


def _worth(column: Candidate) -> float:
    """How well a column of time serves for windows; 0 or less if it does not.

    >>> _worth(Candidate("created_at", "timestamptz", True, 0.0, 1.0)) > _worth(
    ...     Candidate("shipped_on", "date", False, 0.4, 0.2))
    True
    >>> _worth(Candidate("updated_at", "timestamptz", True, 0.0, 1.0)) > 0
    False
    """
    name = column.column.lower()
    if _CHANGES.search(name):
        return -1.0
    # Rows whose column is NULL are in no window.
    missing = 2.0 if column.nulls is None else 20 * column.nulls
    known = 2.0 if _BEGINS.search(name) else 0.0
    return 3 + known + 2 * column.is_found_fast + 2 * (column.order or 0) + (column.type == "timestamptz") - missing


def _every(table: Surveyed, column: Candidate) -> str:
    """The length of window that keeps an export between a megabyte and some gigabytes."""
    if not isinstance(column.oldest, datetime) or not isinstance(column.newest, datetime):
        return "1 day"
    days = max(1.0, (column.newest - column.oldest) / timedelta(days=1))
    daily = table.size / days
    if daily > _LARGEST and column.type != "date":
        return "1 hour"
    return "1 day" if daily > _SMALLEST or table.size <= _SMALLEST else "1 month"


def _numbers(table: Surveyed, column: Candidate) -> int:
    """So many numbers, a power of ten, that a window holds about a gigabyte."""
    oldest = column.oldest if isinstance(column.oldest, int) else 0
    newest = column.newest if isinstance(column.newest, int) else table.rows or 0
    wanted, size = max(1, newest - oldest) * _GB // max(1, table.size), 1000
    while size * 10 <= wanted:
        size *= 10
    return size


def text_of(proposed: Sequence[Proposal], left_out: Sequence[Surveyed], source: str, at: datetime) -> str:
    """The file. It holds jobs that `tailrace jobs` accepts."""
    lines = [
        f"# Written by `tailrace init` on {at:%Y-%m-%d} for {_comment(source)}. `tailrace jobs` checks it.",
        "# docs/reference/jobs.md explains every key. Nothing is exported before this file is deployed.",
        "",
        "[defaults]                     # for every job that does not say it itself",
        'if_exists = "refuse"            # a blob that is there is never replaced',
        "",
    ]
    for group in _groups(proposed):
        lines += [*_entry(group), ""]
    for table in left_out:
        lines.append(f"# {_comment(_title(table))}: this role may not read it; `tailrace grants` prints what it needs")
    text = "\n".join(lines).rstrip() + "\n"
    assert not parse_jobs(tomllib.loads(text)).disabled
    return text


def _groups(proposed: Sequence[Proposal]) -> list[list[Proposal]]:
    """Tables with plain names and one shape together; every other table alone."""
    groups: dict[object, list[Proposal]] = {}
    for one in proposed:
        is_plain = _PLAIN.fullmatch(one.table.schema) and _PLAIN.fullmatch(one.table.table)
        groups.setdefault(one.shape if is_plain else id(one), []).append(one)
    return list(groups.values())


def _entry(group: Sequence[Proposal]) -> Iterator[str]:
    for one in group:
        yield f"# {_comment(described(one.table))}"
        yield from (f"#   or {_comment(said_of(other))}" for other in one.table.candidates if _is_other(one, other))
    yield "[[job]]"
    first = group[0]
    folder = "{schema}/{table}"
    if _PLAIN.fullmatch(first.table.schema) and _PLAIN.fullmatch(first.table.table):
        yield f"tables = [{', '.join(_quoted(_title(one.table)) for one in group)}]"
    else:
        folder = "{job}"
        yield f"name = {_quoted(_job_name(first.table))}"
        yield f"schema = {_quoted(first.table.schema)}"
        yield f"table = {_quoted(first.table.table)}"
    yield from _windows(first, folder)


def _windows(one: Proposal, folder: str) -> Iterator[str]:
    if one.column is None:
        yield f'blob = "{folder}/{{run:%Y/%m/%d}}.csv.gz"'
        yield 'schedule = "0 30 2 * * *"       # the whole table, each night at 2:30 UTC'
        return
    if one.size is not None:
        yield f'blob = "{folder}/{{window_start:018d}}.csv.gz"'
        yield "[job.window]                    # no clock closes it: asked for by `tailrace backfill`"
        yield f'column = {_quoted(one.column.column)}\ntype = "integer"\nsize = {one.size}'
        return
    parts = {"1 hour": "%Y/%m/%d/%H", "1 day": "%Y/%m/%d", "1 month": "%Y/%m"}[one.every or "1 day"]
    yield f'blob = "{folder}/{{window_start:{parts}}}.csv.gz"'
    yield "[job.window]"
    yield f"column = {_quoted(one.column.column)}"
    yield f'type = "{one.column.type}"\nevery = "{one.every}"'
    yield 'delay = "30 minutes"            # after the end of a window, before it is asked for'


def _is_other(one: Proposal, other: Candidate) -> bool:
    return other != one.column and (other.type != "integer" or other.is_found_fast)


def described(table: Surveyed) -> str:
    """A table with its size, its rows and what was chosen from."""
    chosen = _proposal(table).column
    why = said_of(chosen) if chosen else "no column for windows"
    return f"{_title(table)}: {size_of(table)}; {why}"


def size_of(table: Surveyed) -> str:
    """A table's bytes and rows.

    >>> size_of(Surveyed("s", "t", True, 372_637_696, 1_000_165)), size_of(Surveyed("s", "t", True, 8192, None))
    ('372.6 MB, about 1,000,165 rows', '8.2 kB, never analyzed')
    """
    size, unit = float(table.size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    rows = "never analyzed" if table.rows is None else "1 row" if table.rows == 1 else f"about {table.rows:,} rows"
    return f"{size:,.0f} {unit}, {rows}" if unit == "bytes" else f"{size:,.1f} {unit}, {rows}"


def said_of(column: Candidate) -> str:
    """What speaks for and against a column.

    >>> said_of(Candidate("at", "timestamptz", False, None, None))
    'at (timestamptz, no index, never analyzed)'
    """
    nulls = "never analyzed" if column.nulls is None else f"{column.nulls:.0%} NULL" if column.nulls else "no NULLs"
    ends = "" if column.oldest is None else f", {_end(column.oldest)} to {_end(column.newest)}"
    return f"{column.column} ({column.type}, {'index' if column.is_found_fast else 'no index'}, {nulls}{ends})"


def _end(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, datetime) else f"{value:,}" if isinstance(value, int) else "?"


def _title(table: Surveyed) -> str:
    return f"{table.schema}.{table.table}"


def _job_name(table: Surveyed) -> str:
    """A name that a job may have, and no other table's."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{table.schema}-{table.table}").strip("-_") or "table"
    return f"{plain[:50]}-{sha256(_title(table).encode()).hexdigest()[:8]}"


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _comment(text: str) -> str:
    """Text that stays on its line of comment."""
    return "".join(c if c.isprintable() else "?" for c in text)
