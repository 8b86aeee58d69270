"""What the commands that look have in common: their settings, and how they end."""

import os

import typer

from cli.terminal import complain, remark
from contracts.jobs_file import Jobs, load_jobs
from operations.looking import Lookout
from settings import Settings


def configured() -> tuple[Settings, Jobs]:
    """The settings and the jobs; PostgreSQL's settings may be missing."""
    settings = Settings.from_env(os.environ, postgres=False)
    return settings, load_jobs(settings.jobs)


def end(seen: Lookout, jobs: Jobs, *, is_well: bool) -> None:
    """Says what was not seen, and which jobs are disabled; exit 1 if a person has to look."""
    for note in seen.notes:
        remark(note)
    complain(problem for one in jobs.disabled for problem in one.problems)
    if not is_well or seen.notes or jobs.disabled:
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


def megabytes(count: float) -> str:
    """Bytes in MB, as all commands show them.

    >>> megabytes(1_234_567), megabytes(12_345_678_900)
    ('1.2', '12,345.7')
    """
    return f"{count / 1e6:,.1f}"
