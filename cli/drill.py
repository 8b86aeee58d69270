"""The drill of `tailrace restore --check`: of one job or of all."""

import json
from datetime import UTC, datetime

import typer

from cli.terminal import complain, record, remark, say
from contracts.errors import TailraceError
from contracts.job import ExportJob
from operations.drill import Drilled
from operations.drilling import DrilledJob, Drilling, Sample
from producer.ask import AskRefused, job_named
from settings import Settings

_BY = {"rows": "row by row", "hash": "by their hash"}


def drill(settings: Settings, server: str | None, job: str | None, sample: Sample, *, as_json: bool) -> None:
    """Drills a job, or all if `job` is None, and prints each window; exit 1 if one is not restorable."""
    now, is_well = datetime.now(UTC), True
    with Drilling.opened(settings, server) as drilling:
        if job is not None:
            one = job_named(drilling.jobs, job)
            found = drilling.drill(one, sample, now, lambda window: _print(one, window, as_json=as_json))
            is_well = _end(one, found, as_json=as_json)
        else:
            if sample.since or sample.until:
                raise AskRefused("--all takes windows of any time", advice="leave --from and --to out")
            for one, result in drilling.drill_all(sample, None, now):
                is_well &= _show(one, result, as_json=as_json)
    if not is_well:
        raise typer.Exit(1)


def _show(job: ExportJob, result: DrilledJob | TailraceError, *, as_json: bool) -> bool:
    """Prints the result of one of all jobs; whether nothing failed."""
    match result:
        case DrilledJob():
            for window in result.found:
                _print(job, window, as_json=as_json)
            return _end(job, result, as_json=as_json)
        case AskRefused():
            remark(f"left out: {result}")
            return True
        case _:
            complain(f"job {job.name!r}: {line}" for line in result.explained.splitlines())
            return False


def _print(job: ExportJob, one: Drilled, *, as_json: bool) -> None:
    source = one.source
    if as_json:
        differing = {"only_in_blob": source.only_in_blob, "only_in_source": source.only_in_source}
        compared = {"source": source.verdict, "compared_by": source.by, **differing, "says": source.says or None}
        print(json.dumps({"job": job.name, "blob": one.blob, "rows": one.rows, "problems": one.problems, **compared}))
        return
    by = f" (compared {_BY[source.by]})" if source.by else ""
    says = f": {source.says}" if source.says else ""
    fields = {"rows": f"{one.rows:,}", "source": f"{source.verdict}{by}{says}"}
    record(
        f"{'FAILED' if one.problems else 'restorable'}  {one.blob}",
        {**fields, "problems": "; ".join(one.problems) or None},
    )


def _end(job: ExportJob, found: DrilledJob, *, as_json: bool) -> bool:
    """Prints the last line of a job; whether all its windows are restorable."""
    if not as_json:
        say(f"{job.name}: {len(found.found) - found.failed:,} of {len(found.found):,} windows proven restorable")
    if found.is_empty:
        remark(f"{job.name}: no window here has rows, so the drill proves that its table can be made, and no more")
    if found.unwritten:
        remark(f"the drill is not remembered: {found.unwritten}")
    return not found.failed
