"""Pure: many windows as few numbers, and jobs as the page shows them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from itertools import groupby, pairwise
from typing import Literal

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.request import TableSource
from operations.coverage import STATES, Cell
from operations.looking import Coverage
from operations.proofs import Proof
from operations.running import Running
from operations.summary import Summary
from web.api.shapes import Grid, JobCoverage, JobStatus, RunningExport

UNPROVEN = "unproven"  # there, and its receipt does not say that the window was closed
_STATES: list[str] = [*STATES, UNPROVEN]
_INDEX = {state: number for number, state in enumerate(_STATES)}


def packed(covered: Coverage) -> JobCoverage:
    """The coverage of a job, as `JobCoverage` describes it."""
    starts = [_number(cell) for cell in covered.cells]
    reasons = list(dict.fromkeys(cell.why for cell in covered.cells if cell.why))
    number_of = {reason: number for number, reason in enumerate(reasons)}
    codes = ((_code(cell), number_of.get(cell.why or "", -1)) for cell in covered.cells)
    return JobCoverage(
        job=covered.job.name,
        kind=_kind(covered.job),
        windows=len(starts),
        first=starts[0] if starts else None,
        steps=counted(after - before for before, after in pairwise(starts)),
        states=_STATES,
        reasons=reasons,
        ranges=[(state, why, count) for (state, why), count in counted(codes)],
    )


def counted[T](items: Iterable[T]) -> list[tuple[T, int]]:
    """Equal neighbours as one, with how many they are.

    >>> counted([1, 1, 2, 1])
    [(1, 2), (2, 1), (1, 1)]
    """
    return [(item, sum(1 for _ in group)) for item, group in groupby(items)]


def job_status(summary: Summary, proof: Proof) -> JobStatus:
    """One job at a glance."""
    job, last = summary.job, summary.last
    exported = last.blob.receipt if last and last.blob else None
    return JobStatus(
        job=job.name,
        source=source_of(job),
        schedule=job.schedule,
        grid=_grid(job),
        is_scheduled=job.is_scheduled,
        well=summary.is_well,
        counts={state: summary.counts[state] for state in STATES},
        proven=summary.proven,
        lag_seconds=round(summary.lag_seconds),
        last_window=last.start if last else None,
        last_exported_at=exported.exported_at if exported else None,
        verified_through=proof.verified_through,
        rows_before=proof.rows_before,
        last_audit_at=proof.audited_at,
        last_proven_restorable=proof.restorable_at,
    )


def source_of(job: ExportJob) -> str:
    """What a job exports, as a person names it."""
    source = job.source
    return f"{source.schema_name}.{source.table}" if isinstance(source, TableSource) else "a query"


def running_export(one: Running, cell: Cell | None) -> RunningExport:
    """One export that reads now."""
    return RunningExport(
        request_id=str(one.request_id),
        job=cell.job.name if cell else one.job,
        window=cell.start if cell else None,
        rows=one.rows,
        bytes=one.bytes,
        seconds=round(one.seconds, 1),
        estimated_rows=one.estimated_rows,
        seconds_left=None if one.seconds_left is None else round(one.seconds_left, 1),
        waits_for=one.waits_for,
    )


def _code(cell: Cell) -> int:
    lacks_proof = cell.state == "there" and cell.window is not None and not cell.is_proven
    return _INDEX[UNPROVEN if lacks_proof else cell.state]


def _number(cell: Cell) -> int:
    """The start of a window as a number: of the wall clock if it has one, since days there are all alike."""
    start = cell.window.start if cell.window else cell.run
    if isinstance(start, datetime):
        start = start if cell.window is None else start.replace(tzinfo=UTC)
        return round(start.timestamp())
    if isinstance(start, date):
        return (start - date(1970, 1, 1)).days * 86400
    assert isinstance(start, int)
    return start


def _kind(job: ExportJob) -> Literal["time", "number", "run"]:
    return "run" if job.window is None else "time" if isinstance(job.window, TimeGrid) else "number"


def _grid(job: ExportJob) -> Grid | None:
    match job.window:
        case None:
            return None
        case TimeGrid() as grid:
            return Grid(column=grid.column, unit=grid.every.unit, count=grid.every.count, timezone=grid.timezone)
        case grid:
            return Grid(column=grid.column, unit="number", count=grid.size)
