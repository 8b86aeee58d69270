"""`tailrace status` and `tailrace missing`: is every window there, and if not, why?"""  # noqa: D400

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from cli.completion import job_names
from cli.completion import states as all_states
from cli.looks import brief, configured, counted, end
from cli.ranges import AsJson, Since, Until
from cli.terminal import folded_table, record, remark, say, table
from operations.advice import state_advice
from operations.coverage import STATES, WRONG, State
from operations.looking import Coverage, looking
from operations.proofs import Proof, proofs_of, said_of_rows_before
from operations.summary import Range, Summary, ranges_of, summary_of
from producer.ask import AskRefused, job_named

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[JOB]...", show_default="all", help="Jobs of jobs.toml.", autocompletion=job_names),
]
_SHOWN = 10  # ranges that `status` shows


def status(names: Names = None, *, since: Since = None, until: Until = None, as_json: AsJson = False) -> None:
    """Show what is there, missing, on its way and dead, for each job; exit 1 if anything needs a person.

    lag is the time since the end of the oldest window that is due and has no blob. Up to "verified" audits found every
    window equal to its source, row by row; "restorable" is the time of the last drill that succeeded.

    Example: tailrace status

    Example: tailrace status clicks --from 2026-01-01 --json
    """
    now, (settings, jobs) = datetime.now(UTC), configured()
    wanted = [job_named(jobs, name) for name in names] if names else list(jobs.values())
    with looking(settings, now) as seen:
        covered = list(seen.coverages(wanted, since, until))
    proofs = proofs_of(settings, wanted)
    found = [summary_of(one.job, one.cells, now) for one in covered]
    wrong = [gap for one in covered for gap in ranges_of(one.cells, WRONG)]
    if as_json:
        for summary in found:
            print(json.dumps(fields_of(summary, proofs[summary.job.name], seen.queue.orders.paused)))
    else:
        show_status(found, proofs, wrong, now)
        for name in (one.name for one in wanted if one.name in seen.queue.orders.paused):
            say(f"{name} is paused: `tailrace pause --list` says since when and why")
        for one in wanted:
            if (proof := proofs[one.name]).rows_before and proof.begins:
                remark(said_of_rows_before(one, proof.rows_before, proof.begins))
        if not (names or since or until):
            _show_further(seen.queue.dead, covered)
    end(seen, is_well=not wrong, disabled=() if names else jobs.disabled)


def missing(
    names: Names = None,
    *,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state", metavar="S", show_default=" ".join(WRONG), help="These states.", autocompletion=all_states
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the windows that have no blob of theirs, as ranges, each with why; exit 1 if there are any.

    Example: tailrace missing clicks --from 2026-01-01

    Example: tailrace missing --state waiting --state retrying
    """
    now, (settings, jobs) = datetime.now(UTC), configured()
    states = _states(state)
    wanted = [job_named(jobs, name) for name in names] if names else list(jobs.values())
    with looking(settings, now) as seen:
        found = [gap for one in seen.coverages(wanted, since, until) for gap in ranges_of(one.cells, states)]
    if as_json:
        for gap in found:
            print(json.dumps(_gap_fields(gap)))
    elif found:
        show_missing(found)
    else:
        say("no window is " + ", ".join(states))
    end(seen, is_well=not found, disabled=() if names else jobs.disabled)


def show_status(found: Sequence[Summary], proofs: Mapping[str, Proof], wrong: Sequence[Range], now: datetime) -> None:
    """Prints the table of jobs, their sum, and what is wrong with each range."""
    headings, rows = rows_of(found)
    shown = [[*row, *_proof_cells(proofs[one.job.name], now)] for row, one in zip(rows, found, strict=True)]
    if len(shown) > 1:
        shown.append([*_sums(headings, rows), "", ""])
    folded_table([*headings, "verified", "restorable"], shown, right=_NUMBERS)
    if wrong:
        say("")
    _show_wrong(wrong)


def show_missing(found: Sequence[Range]) -> None:
    """Prints the ranges, and how many windows they are in each state."""
    headings = ["job", "from", "to", "windows", "state", *(["why"] if any(gap.why for gap in found) else [])]
    table(headings, [_gap_row(gap)[: len(headings)] for gap in found], right=("windows",))
    counts = Counter[State]()
    for gap in found:
        counts[gap.state] += len(gap.cells)
    parts = ", ".join(f"{count:,} {state}" for state, count in counts.items())
    say(f"{counted(counts.total(), 'window')} in {counted(len(found), 'range')}: {parts}")


_NUMBERS = ("windows", "there", "proven", "running", "queued", "due", "missing", "too-old", "dead", "foreign", "lag")


def rows_of(found: Iterable[Summary]) -> tuple[list[str], list[list[str]]]:
    """The table of `status`: a column of zeros is left out, but for those that everybody looks for."""
    every = [_cells_of(summary) for summary in found]
    always = {"job", "windows", "there", "missing", "lag", "last"}
    headings = [
        name for name in (every[0] if every else {}) if name in always or any(one[name] != "0" for one in every)
    ]
    return headings, [[one[name] for name in headings] for one in every]


def _sums(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The last row: the sum of each column of counts."""
    columns = dict(zip(headings, zip(*rows, strict=True), strict=True))
    added = {
        name: f"{sum(int(one.replace(',', '')) for one in column):,}"
        for name, column in columns.items()
        if name in _NUMBERS and name != "lag"
    }
    return [f"all {len(rows):,} jobs" if name == "job" else added.get(name, "") for name in headings]


def _cells_of(summary: Summary) -> dict[str, str]:
    counts = summary.counts
    queued = counts["waiting"] + counts["retrying"]
    numbers = {"windows": summary.due, "there": counts["there"], "proven": summary.proven}
    numbers |= {"running": counts["running"], "queued": queued, "due": counts["due"], "missing": counts["missing"]}
    numbers |= {"too-old": counts["too-old"], "dead": counts["dead"], "foreign": counts["foreign"]}
    shown = {name: f"{number:,}" for name, number in numbers.items()}
    lag = brief(summary.lag_seconds) if summary.job.is_scheduled else "-"
    return {"job": summary.job.name, **shown, "lag": lag, "last": summary.last.start if summary.last else "none"}


def _proof_cells(proof: Proof, now: datetime) -> tuple[str, str]:
    restorable = f"{brief((now - proof.restorable_at).total_seconds())} ago" if proof.restorable_at else "never"
    return proof.verified_through or "none", restorable


def fields_of(summary: Summary, proof: Proof, paused: Collection[str] = ()) -> dict[str, Any]:
    """One job as JSON."""
    last = summary.last.blob.receipt if summary.last and summary.last.blob else None
    return {
        "job": summary.job.name,
        "well": summary.is_well,
        "paused": summary.job.name in paused,
        **{state: summary.counts[state] for state in STATES},
        "proven": summary.proven,
        "lag_seconds": round(summary.lag_seconds),
        "last_window": summary.last.start if summary.last else None,
        "last_exported_at": last.exported_at.isoformat() if last else None,
        "verified_through": proof.verified_through,
        "rows_before": proof.rows_before,
        "last_audit_at": proof.audited_at.isoformat() if proof.audited_at else None,
        "last_proven_restorable": proof.restorable_at.isoformat() if proof.restorable_at else None,
    }


def _show_wrong(wrong: Sequence[Range]) -> None:
    for gap in wrong[:_SHOWN]:
        title = f"{gap.state}  {gap.cells[0].job.name}  {_span(gap)}"
        record(title, {"why": gap.why, "advice": state_advice(gap.state, gap.why)})
    if len(wrong) > _SHOWN:
        remark(f"and {len(wrong) - _SHOWN:,} more ranges; `tailrace missing` lists them")


def _show_further(dead: Collection[UUID], covered: Iterable[Coverage]) -> None:
    """Counts the dead letters that no row above shows: of other jobs, of older windows, of what is there by now."""
    shown = {cell.request_id for one in covered for cell in one.cells if cell.state == "dead"}
    if further := len(set(dead) - shown):
        remark(f"{counted(further, 'further dead letter')}: `tailrace dlq list` shows what and why")


def _span(gap: Range) -> str:
    count = len(gap.cells)
    return f"{gap.start} to {gap.end}, {count:,} windows" if count > 1 else gap.start


def _gap_row(gap: Range) -> list[object]:
    return [gap.cells[0].job.name, gap.start, gap.end, f"{len(gap.cells):,}", gap.state, gap.why or ""]


def _gap_fields(gap: Range) -> dict[str, Any]:
    windows = {"from": gap.start, "to": gap.end, "windows": len(gap.cells)}
    return {"job": gap.cells[0].job.name, **windows, "state": gap.state, "why": gap.why}


def _states(names: list[str] | None) -> tuple[State, ...]:
    unknown = [name for name in names or () if name not in STATES]
    if unknown:
        raise AskRefused(f"there is no state {unknown[0]!r}", advice=f"write one of {', '.join(STATES)}")
    return tuple(state for state in STATES if state in (names or WRONG))
