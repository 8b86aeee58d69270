"""`tailrace backfill`: the requests of a range of windows."""

import os
import shlex
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from cli.progress import count_bar
from cli.ranges import AsJson, JobName
from cli.signals import INTERRUPTED, at_first_signal
from cli.terminal import fields_or_json, remark, say
from contracts.grid import TimeGrid
from contracts.jobs_file import load_jobs
from operations.backfill import Counts, Only, Wanted
from operations.backfilling import Backfilling
from operations.backfills import forget
from operations.pauses import refuse_paused
from producer.ask import AskRefused, bound, job_named, one_request
from producer.queue import ExportQueue
from producer.schedule import Planned
from settings import Settings

_ENDS = 3  # windows that a dry run shows of each end of the range
# As a person calls the states, in this order.
_NAMES = {
    "there": "there",
    "alive": "on the queue",
    "dead": "dead",
    "postponed": "dead, asked for again later",
    "foreign": "foreign",
}


def backfill(  # noqa: PLR0913  # options of a command
    job: JobName,
    *,
    since: Annotated[
        str, typer.Option("--from", metavar="X", show_default=False, help="Windows that begin at X or later.")
    ],
    until: Annotated[str, typer.Option("--to", metavar="Y", show_default=False, help="Windows that begin before Y.")],
    only: Annotated[
        Only, typer.Option("--only", metavar="KIND", help="missing, failed (dead letters), or all (replaces blobs).")
    ] = "missing",
    newest_first: Annotated[bool, typer.Option("--newest-first", help="Send the newest windows first.")] = False,
    in_flight: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", show_default=False, help="Feed the queue: at most N messages wait on it."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all are exported or dead.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what is on the queue or dead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send requests for the windows of a range that have no blob and no message on the queue.

    X and Y are days (2026-01-31), times (2026-01-31T13:00, in the job's time zone unless they carry one) or, for
    windows of numbers, numbers. Windows that are still open are left out. With --in-flight fresh windows overtake the
    backfill, and the command runs until all is sent. After an interruption or a failure, run it again. Its id is
    for `tailrace backfills` and `tailrace cancel`.

    Example: tailrace backfill clicks --from 2026-01-01 --to 2026-04-01 --dry-run

    Example: tailrace backfill clicks --from 2026-01-01 --to 2026-04-01 --newest-first --in-flight 50 --wait
    """
    settings, now = Settings.from_env(os.environ, postgres=False), datetime.now(UTC)
    wanted = Wanted(job_named(load_jobs(settings.jobs), job), since, until, only, newest_first, force)
    _refuse_nothing(wanted, now)
    refuse_paused(settings, job)
    running = Backfilling(settings, wanted, now, in_flight)
    with ExportQueue(settings) as queue:
        if dry_run:
            ends = _Ends()
            ends.add(one.request for one, _ in running.looked_up(queue.look_briefly(job)))
            shown = _shown(running.counts, as_json=as_json)
            fields_or_json({**shown, "to send": running.counts.chosen}, as_json=as_json)
            if not as_json:
                say(*ends.lines())
        else:
            _send(running, queue, wait=wait, as_json=as_json)
            forget(settings, now)
    if (others := left_out(wanted, now)) and not as_json:
        say(others)
    if left := dead_left(wanted, running.counts):
        remark(left)


def _send(running: Backfilling, queue: ExportQueue, *, wait: bool, as_json: bool) -> None:
    """Sends, and waits if asked; if that is broken off, says how many were sent."""
    # The SDK cannot be interrupted in the middle of a call and go on being used.
    stopping, counts = Event(), running.counts
    try:
        with at_first_signal(stopping.set):
            with count_bar("sending") as show:
                running.send(queue, lambda now: show(now.done, max(now.expected, now.passed)), stopping)
            if wait and counts.sent:
                with count_bar("exporting") as show:
                    running.wait(queue, lambda now: show(now.sent - now.waiting, now.sent), stopping)
    finally:
        dead = running.dead(queue) if wait and counts.sent and not stopping.is_set() else None
        ended = {} if dead is None else {"exported": counts.sent - dead, "failed": dead}
        sent = {"backfill": running.id if counts.sent else None}
        fields_or_json({**sent, **_shown(counts, as_json=as_json), "sent": counts.sent, **ended}, as_json=as_json)
    if stopping.is_set():
        running.save()
        remark("interrupted; run it again: what is on the queue is not sent twice")
        raise typer.Exit(INTERRUPTED)
    if dead:
        remark("see why by `tailrace dlq list`")
        raise typer.Exit(1)


def _shown(counts: Counts, *, as_json: bool) -> Mapping[str, object]:
    """Counts of the states; for people those that are always of interest, and others if there are any."""
    found = {
        state if as_json else name: counts.states[state]
        for state, name in _NAMES.items()
        if as_json or counts.states[state] or state == "there"
    }
    return {"windows": counts.windows, **found}


def _refuse_nothing(wanted: Wanted, now: datetime) -> None:
    """Raises AskRefused that says why the range has no closed window, if it has none."""
    if next(wanted.planned(now), None) is None:
        one_request(wanted.job, wanted.since, now)  # says that the window there is open, or when the next one begins
        raise AskRefused(f"no window of job {wanted.job.name!r} begins from {wanted.since} to {wanted.until}")


def left_out(wanted: Wanted, now: datetime) -> str | None:
    """Which windows of the range were left out, and why; None if none was."""
    until = bound(wanted.job, wanted.until)
    if not isinstance(until, datetime):
        return None
    latest = next(replace(wanted, newest_first=True).planned(now)).run
    if latest >= until:
        return None
    grid = wanted.job.window
    if isinstance(grid, TimeGrid) and grid.end and grid.end <= latest.astimezone(ZoneInfo(grid.timezone)).date():
        return f"windows from {grid.end} on were left out: the job has this end"
    return f"windows from {latest.isoformat(timespec='minutes')} on were left out: they are still open"


def dead_left(wanted: Wanted, counts: Counts) -> str | None:
    """What to do about the dead letters of the range, if this backfill passes over them; None if it does not."""
    dead = counts.states["dead"] + counts.states["postponed"]
    if not dead or wanted.only != "missing" or wanted.force:
        return None
    are = "window is a dead letter" if dead == 1 else "windows are dead letters"
    span = ("--from", wanted.since, "--to", wanted.until)
    again = shlex.join(["tailrace", "backfill", wanted.job.name, *span, "--only", "failed"])
    return f"{dead:,} {are}: see why by `tailrace dlq list`, correct the cause, then `{again}`"


class _Ends:
    r"""The first and the last few of many requests, a line each.

    >>> from contracts.jobs_file import parse_jobs
    >>> table = {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}"}
    >>> table["window"] = {"column": "id", "type": "integer", "size": 10}
    >>> job, ends = parse_jobs({"job": [table]})["a"], _Ends()
    >>> ends.add(Wanted(job, "0", "90").planned(datetime.now(UTC)))
    >>> print("\n".join(ends.lines()))
        0 → 0
        10 → 10
        20 → 20
        … 3 more
        60 → 60
        70 → 70
        80 → 80
    """

    def __init__(self) -> None:
        self._first: list[Planned] = []
        self._last: deque[Planned] = deque(maxlen=_ENDS)
        self._between = 0

    def add(self, requests: Iterable[Planned]) -> None:
        """Takes note of each."""
        for request in requests:
            if len(self._first) < _ENDS:
                self._first.append(request)
            else:
                self._between += len(self._last) == _ENDS
                self._last.append(request)

    def lines(self) -> list[str]:
        """What is shown of them."""
        between = [f"    … {self._between:,} more"] if self._between else []
        return [*map(_line, self._first), *between, *map(_line, self._last)]


def _line(request: Planned) -> str:
    return f"    {request.window.interval.model_dump(mode='json')['start']} → {request.blob}"
