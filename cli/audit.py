"""`tailrace audit`: does the source still hold what was exported?"""  # noqa: D400

import json
import os
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.completion import job_names
from cli.progress import later_bar
from cli.ranges import AsJson, Said, Until, as_ranges, counts_of, length_of
from cli.terminal import complain, keys_of, remark, say
from contracts.job import ExportJob
from operations.audit import Wanted
from operations.auditing import Audited, Auditing, export_again
from operations.proofs import as_written, said_of_rows_before
from producer.ask import AskRefused, job_named
from settings import Settings

_SHOWN = 5  # windows of each kind that is no difference
_DEFAULT_SECONDS = 600.0  # of --all


def audit(  # noqa: PLR0913  # options of a command
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="JOB", show_default=False, help="A job of jobs.toml that has windows.", autocompletion=job_names
        ),
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option("--from", metavar="X", show_default="the last audit's end", help="Windows from X on.")
    ] = None,
    until: Until = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows of the windows again.")] = False,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", show_default=False, help="Read the rows of some windows, for 90s, 10m or 2h."),
    ] = None,
    again: Annotated[bool, typer.Option("--export-again", help="Ask for new exports of what differs.")] = False,
    every: Annotated[bool, typer.Option("--all", help="All jobs that have windows, which share --budget.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare exports with their source, and name the windows that differ; exit 1 if there are any.

    Counts the rows of all windows by one query: it finds windows without a blob, and rows that came late or went.
    --deep reads the rows as an export does, writes nothing, and compares their hash: it finds every other change.
    --budget does so for some windows: those that were never read, then those that were read the longest time ago.

    Without --from and --to an audit goes on where the last one ended. Rows deleted after their window was verified are
    no difference.

    Example: tailrace audit clicks --budget 10m

    Example: tailrace audit --all --budget 2h --export-again
    """
    settings, now = Settings.from_env(os.environ), datetime.now(UTC)
    if every == (job is not None):
        says = "a job and --all exclude each other" if every else "say which job is to be audited"
        raise AskRefused(says, advice="leave one of them out" if every else "its name, or --all for all jobs")
    seconds = None if budget is None else length_of(budget, "--budget").total_seconds()
    wanted = Wanted(since, until, deep, seconds)
    with Auditing.opened(settings) as auditing:
        if job is None:
            is_well = _all(auditing, settings, wanted, now, again=again, as_json=as_json)
        else:
            one = job_named(auditing.jobs, job)
            with later_bar("reading rows") as bar:
                found = auditing.audit(one, wanted, now, bar)
            is_well = _show(one, found, settings, again=again, as_json=as_json)
    if not is_well:
        raise typer.Exit(1)


def _all(  # options of the command
    auditing: Auditing, settings: Settings, wanted: Wanted, now: datetime, *, again: bool, as_json: bool
) -> bool:
    """Whether no job differs from its source, and all could be audited."""
    if wanted.since or wanted.until or wanted.deep:
        raise AskRefused("--all goes on where the last audits ended", advice="leave --from, --to and --deep out")
    is_well = True
    for job, found in auditing.audit_all(_DEFAULT_SECONDS if wanted.budget is None else wanted.budget, now):
        if isinstance(found, Audited):
            is_well &= _show(job, found, settings, again=again, as_json=as_json)
        elif isinstance(found, AskRefused):
            remark(f"left out: {found}")
        else:
            is_well = False
            complain([f"job {job.name!r}: {line}" for line in found.explained.splitlines()])
    return is_well


def _show(job: ExportJob, found: Audited, settings: Settings, *, again: bool, as_json: bool) -> bool:
    """Prints what was found of a job, and asks for exports again; whether nothing differs."""
    show = _print_json if as_json else _print
    # What differs is known before it is asked for again, which may fail.
    show(job, found)
    sent = export_again(job, found.drift, settings) if again else 0
    record, kinds = found.record, [str(one.kind) for one in found.findings]
    read = sum(one.by == "rows" for one in found.findings)
    counts = {"windows": len(kinds), "read again": read, **{kind: kinds.count(kind) for kind in sorted(set(kinds))}}
    if as_json:
        last = {"verified_through": record.verified_through, "rows_without_window": record.without_window}
        last["rows_before"] = record.rows_before
        print(json.dumps({"job": job.name, **keys_of(counts), "sent": sent, "deleted": found.deleted, **last}))
    else:
        _end(job, found, counts | {"asked for again": sent})
    return not found.drift


def _print_json(job: ExportJob, found: Audited) -> None:
    for one in found.findings:
        if one.is_drift or one.kind != "equal":
            print(json.dumps({"job": job.name, "window": one.window.start, "found": one.kind, "says": one.says}))


def _print(job: ExportJob, found: Audited) -> None:
    harmless = Counter[str]()
    said = (
        Said(one.kind, as_written(job, one.window.start), as_written(job, one.window.end), one.says, one.is_drift)
        for one in found.findings
    )
    for line in as_ranges(said):
        harmless[line.kind] += not line.is_wrong
        if line.is_wrong or (line.kind != "equal" and harmless[line.kind] <= _SHOWN):
            say(f"{line.kind:9}{job.name} {line.subject}: {line.says}")


def _end(job: ExportJob, found: Audited, counts: dict[str, int]) -> None:
    """Prints the last line of a job, and what a person should know."""
    through = found.record.verified_through
    verified = f"verified through {as_written(job, through)}" if through else "nothing is verified yet"
    seen = counts_of(counts) if counts["windows"] else "no window since the last audit"
    say(f"{job.name}: {seen}, {verified}")
    if not through and not counts["read again"]:
        remark("--deep or --budget reads the rows, which verifies them")
    if found.deleted:
        remark(f"{found.deleted:,} verified windows before all others have no blob any more, and were passed over")
    if found.unwritten:
        remark(f"the next audit begins where this one did: {found.unwritten}")
    if found.record.rows_before and found.record.origin:
        remark(said_of_rows_before(job, found.record.rows_before, as_written(job, found.record.origin)))
    if without := found.record.without_window:
        column = job.window.column if job.window else ""
        has = "row has" if without == 1 else "rows have"
        remark(f"{without:,} {has} no {column} (it is NULL): in no window, and never exported")
