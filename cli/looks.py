"""What the commands that look have in common: their settings, and how they end."""

import os
from collections.abc import Iterable

import typer

from cli.terminal import complain, remark
from contracts.jobs_file import Disabled, Jobs, load_jobs
from operations.looking import Lookout
from settings import Settings


def configured() -> tuple[Settings, Jobs]:
    """The settings and the jobs; PostgreSQL's settings may be missing."""
    settings = Settings.from_env(os.environ, postgres=False)
    return settings, load_jobs(settings.jobs)


def end(seen: Lookout, *, is_well: bool, disabled: Iterable[Disabled] = ()) -> None:
    """Says what was not seen, and which of the jobs asked for are disabled; exit 1 if a person has to look."""
    problems = [problem for one in disabled for problem in one.problems]
    for note in seen.notes:
        remark(note)
    complain(problems)
    if not is_well or seen.notes or problems:
        raise typer.Exit(1)


def brief(seconds: float) -> str:
    """A time as short as a column takes it.

    >>> [brief(seconds) for seconds in (0, 59, 90, 7300, 200_000)]
    ['0 s', '59 s', '2 min', '2 h', '2 d']
    """
    for limit, unit, length in ((60, "s", 1), (3600, "min", 60), (2 * 86400, "h", 3600)):
        if seconds < limit:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds / 86400)} d"


def size(count: float) -> str:
    """Bytes as people write them.

    >>> [size(count) for count in (999, 1_234, 12_345_678, 12_345_678_900)]
    ['999 B', '1.2 kB', '12.3 MB', '12.3 GB']
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:,.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def counted(count: int, what: str) -> str:
    """A count with its word.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {what if count == 1 else what + 's'}"
