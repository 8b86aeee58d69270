"""`tailrace restore`: puts exports back into a table, or proves by a drill that it can be done."""

import os
from collections.abc import Mapping
from dataclasses import replace as with_
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg import sql

from cli.completion import job_names
from cli.drill import drill
from cli.progress import bytes_bar
from cli.ranges import AsJson, Since, Until, show_counts
from cli.terminal import remark
from contracts.job import ExportJob
from contracts.jobs_file import load_jobs
from operations.blobs import Blob, Blobs
from operations.drilling import Sample
from operations.restore import How, Mode, Restored
from operations.restoring import Restoring
from operations.target import table_named
from operations.windows import windows_of
from producer.ask import AskRefused, job_named
from settings import Settings


def restore(  # noqa: PLR0913  # options of a command
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="JOB", show_default=False, help="A job of jobs.toml that has windows.", autocompletion=job_names
        ),
    ] = None,
    *,
    since: Since = None,
    until: Until = None,
    into: Annotated[
        str | None,
        typer.Option(metavar="TABLE", show_default=False, help='The table, as schema.table or "A schema"."a.table".'),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create the table from the receipts, unless it is there.")
    ] = False,
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
    sample: Annotated[int, typer.Option(min=1, help="How many windows of a job --check takes.")] = 3,
    every: Annotated[bool, typer.Option("--all", help="With --check: all jobs, for cron.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put exports back into a table, or prove by a drill that it can be done.

    Each window is restored in its own transaction: after an interruption, run it again, and windows whose rows are
    all there are skipped. Each blob is compared with its receipt before its transaction commits.

    --check restores the newest window with rows and a random choice of others into a schema of its own, compares them
    with their receipts and with the source, and drops it. It takes windows without rows only if too few have any. Into
    the source's database, rows are compared one by one (EXCEPT ALL); into another, by their hash, and if the settings
    name no source, not at all. exit 1 if a window is not restorable.

    Example: tailrace restore clicks --from 2026-01-01 --to 2026-02-01 --into public.clicks_again --create

    Example: tailrace restore clicks --check --sample 5 --server "host=scratch user=admin dbname=drill"

    Example: tailrace restore --all --check --sample 2
    """
    settings = Settings.from_env(os.environ, postgres=server is None)
    if check:
        _refuse_without_use(
            {"--into": into, "--create": create, "--append": append, "--replace-window": replace}
            | {"--one-transaction": one_transaction}
        )
        drill(settings, server, _one_or_all(job, every=every), Sample(sample, since, until), as_json=as_json)
        return
    if job is None or every:
        raise AskRefused("say which job is to be restored", advice="write its name; --all needs --check")
    wanted, blobs = job_named(load_jobs(settings.jobs), job), Blobs(settings, parallel + 1)
    own, lacking = _chosen(wanted, blobs, since, until)
    how = How(_mode(append=append, replace=replace), wanted.output)
    restoring = Restoring(settings, server, blobs, _target(into), how)
    done = _restored(restoring, own, None if one_transaction else parallel, create=create)
    show_counts(_counts(done, lacking), as_json=as_json)
    if lacking and (since or until):  # of all windows, the newest may not be exported yet
        raise typer.Exit(1)


def _counts(done: list[Restored], lacking: int) -> dict[str, int]:
    return {
        "rows restored": sum(one.rows for one in done if not one.was_there),
        "windows": len(done),
        "windows restored before": sum(one.was_there for one in done),
        "windows without a blob": lacking,
    }


def _refuse_without_use(options: Mapping[str, object]) -> None:
    """Options that a drill does not have: whoever gives one expects rows in a table."""
    if given := [name for name, value in options.items() if value]:
        says = f"--check restores into a schema of its own, and drops it: it takes no {', '.join(given)}"
        raise AskRefused(says, advice="leave --check out to restore into a table")


def _chosen(job: ExportJob, blobs: Blobs, since: str | None, until: str | None) -> tuple[list[Blob], int]:
    """The blobs of a range, oldest first, and how many windows have none; of a job without windows the newest."""
    windows = list(windows_of(job, blobs, since, until, datetime.now(UTC)))
    there = [window for window in windows if window.is_own]
    if lacking := len(windows) - len(there):
        remark(f"{lacking:,} of {len(windows):,} windows have no blob of theirs; `tailrace missing` lists them")
    if not there:
        raise AskRefused(f"no window of job {job.name!r} in this range has a blob")
    if job.window is None and len(there) > 1:
        there = there[-1:]
        remark(f"each run holds all rows, so the newest is restored: {there[0].start}")
    return [window.blob for window in there if window.blob], lacking if job.window else 0


def _restored(restoring: Restoring, own: list[Blob], parallel: int | None, *, create: bool) -> list[Restored]:
    """Restores with a bar; all in one transaction if `parallel` is None. Says how far it came if it is broken off."""
    done = list[Restored]()
    try:
        with bytes_bar("restoring", sum(blob.size for blob in own)) as advance:
            shown = with_(restoring, how=with_(restoring.how, progress=advance))
            if parallel is None:
                done += shown.all_or_none(own, create=create)
            else:
                done.extend(shown.one_by_one(own, parallel, create=create))
    finally:
        if 0 < len(done) < len(own):
            remark(f"{len(done):,} of {len(own):,} windows are restored, and the others as they were")
    return done


def _target(into: str | None) -> sql.Identifier:
    if into is None:
        raise AskRefused("name the table for the rows", advice="--into schema.table, or --check for a drill")
    return table_named(into)


def _mode(*, append: bool, replace: bool) -> Mode:
    if append and replace:
        raise AskRefused("--append and --replace-window exclude each other", advice="leave one of them out")
    return "append" if append else "replace" if replace else "refuse"


def _one_or_all(job: str | None, *, every: bool) -> str | None:
    """The job to be drilled, None for all."""
    if every == (job is not None):
        says = "a job and --all exclude each other" if every else "say which job is to be drilled"
        raise AskRefused(says, advice="leave one of them out" if every else "its name, or --all for all jobs")
    return job
