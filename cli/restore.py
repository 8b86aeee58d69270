"""`tailrace restore`: puts exports back into a table, or proves by a drill that it can be done."""

import json
import os
import random
from dataclasses import replace as with_
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg import sql

from cli.progress import bytes_bar
from cli.ranges import AsJson, JobName, Since, Until, show_counts
from cli.terminal import record, remark, say
from contracts.jobs_file import Jobs, load_jobs
from operations.blobs import Blobs
from operations.drill import drill, remember
from operations.restore import Mode
from operations.restoring import Restoring, writing_session
from operations.windows import WindowBlob, windows_of
from producer.ask import AskRefused, job_named
from settings import Settings


def restore(  # noqa: PLR0913  # options of a command
    job: JobName,
    *,
    since: Since = None,
    until: Until = None,
    into: Annotated[
        str | None, typer.Option(metavar="TABLE", show_default=False, help="The table, as schema.table.")
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Create the table from the receipts.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to existing rows of the windows.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace-window", help="Delete existing rows of the windows first.")
    ] = False,
    one_transaction: Annotated[bool, typer.Option("--one-transaction", help="All windows, or none.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=16, help="Windows restored at once.")] = 2,
    server: Annotated[
        str | None, typer.Option(metavar="DSN", show_default="PGHOST …", help="The server, as a conninfo string.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="The drill: restore, compare and drop.")] = False,
    sample: Annotated[int, typer.Option(min=1, help="How many windows --check takes.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Put exports back into a table, or prove by a drill that it can be done.

    Each window is restored in its own transaction: after an interruption, run it again, and windows whose rows are
    all there are skipped. Each blob is compared with its receipt before its transaction commits.

    Example: tailrace restore clicks --from 2026-01-01 --to 2026-02-01 --into public.clicks_again --create

    Example: tailrace restore clicks --check --sample 5 --server "host=scratch user=admin dbname=drill"
    """
    settings = Settings.from_env(os.environ, postgres=server is None)
    jobs = load_jobs(settings.jobs)
    wanted, blobs = job_named(jobs, job), Blobs(settings, parallel + 1)
    windows = list(windows_of(wanted, blobs, since, until, datetime.now(UTC)))
    there = [window for window in windows if window.is_own]
    if len(there) < len(windows):
        remark(f"{len(windows) - len(there):,} of {len(windows):,} windows have no blob; `tailrace verify` lists them")
    if not there:
        raise AskRefused(f"no window of job {job!r} in this range has a blob")
    if check:
        _drill(settings, server, blobs, _sample(there, sample), jobs, as_json=as_json)
        return
    restoring = Restoring(settings, server, blobs, _target(into), _mode(append=append, replace=replace), wanted.output)
    own = [window.blob for window in there if window.blob]
    if create:
        restoring.create(own)
    with bytes_bar("restoring", sum(blob.size for blob in own)) as advance:
        restoring = with_(restoring, progress=advance)
        done = restoring.all_or_none(own) if one_transaction else list(restoring.one_by_one(own, parallel))
    rows, there_already = sum(one.rows for one in done if not one.was_there), sum(one.was_there for one in done)
    show_counts(
        {"rows restored": rows, "windows": len(done), "windows restored before": there_already}, as_json=as_json
    )


def _target(into: str | None) -> sql.Identifier:
    if into is None:
        raise AskRefused("name the table for the rows", advice="--into schema.table, or --check for a drill")
    schema, dot, table = into.partition(".")
    return sql.Identifier(schema, table) if dot else sql.Identifier("public", schema)


def _mode(*, append: bool, replace: bool) -> Mode:
    if append and replace:
        raise AskRefused("--append and --replace-window exclude each other", advice="leave one of them out")
    return "append" if append else "replace" if replace else "refuse"


def _sample(there: list[WindowBlob], count: int) -> list[WindowBlob]:
    """The newest window and a random choice of the others."""
    return [there[-1], *random.sample(there[:-1], min(count, len(there)) - 1)]


def _drill(
    settings: Settings, server: str | None, blobs: Blobs, windows: list[WindowBlob], jobs: Jobs, *, as_json: bool
) -> None:
    found = []
    with writing_session(settings, server) as connection:
        for one in drill(connection, blobs, windows, jobs):
            found.append(one)
            if as_json:
                print(json.dumps({"blob": one.blob, "rows": one.rows, "problems": one.problems, "source": one.source}))
                continue
            fields = {"rows": f"{one.rows:,}", "source": one.source, "problems": "; ".join(one.problems) or None}
            record(f"{'FAILED' if one.problems else 'restorable'}  {one.blob}", fields)
    failed = sum(bool(one.problems) for one in found)
    if not as_json:
        say(f"{len(windows) - failed:,} of {len(windows):,} windows proven restorable")
    if failed:
        raise typer.Exit(1)
    if why := remember(settings, windows, found, datetime.now(UTC)):
        remark(f"the drill is not remembered: {why}")
