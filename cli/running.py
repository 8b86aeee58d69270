"""`tailrace running` and `tailrace watch`: the exports that read now, and how far they are."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from cli.looks import brief, configured, counted, size
from cli.ranges import AsJson
from cli.status import rows_of
from cli.terminal import say, table, without_spare
from contracts.jobs_file import Jobs, load_jobs
from operations.coverage import Cell
from operations.finding import cells_of
from operations.looking import looking
from operations.running import Running, Sessions, connect
from operations.summary import Summary, summary_of
from producer.ask import AskRefused
from settings import Settings

_EVERY_SECONDS = 1.0
_LOOK_SECONDS = 15.0  # the container and the queue change slowly, and cost a listing


def running(*, as_json: AsJson = False) -> None:
    """Show the exports that read now: rows, MB, MB/s, how far by the planner's estimate, and the time left.

    They are what the server shows of the sessions of the exporting role.

    Example: tailrace running
    """
    settings = Settings.from_env(os.environ)
    jobs = load_jobs(settings.jobs)
    with connect(settings) as connection:
        sessions = Sessions(connection)
        cells = cells_of(settings, jobs, sessions.running())
        sessions.estimate({id_: cell.request for id_, cell in cells.items()}, jobs)
        found = sessions.running()
    if as_json:
        for one in found:
            print(json.dumps(_fields(one, cells.get(one.request_id)), default=str))
    elif found:
        show_running(found, cells)
    else:
        say("no export reads now")


def watch() -> None:
    """Show status and running exports, live, until Ctrl-C; needs a terminal.

    Example: tailrace watch
    """
    console = Console()
    if not console.is_terminal:
        raise AskRefused("watch needs a terminal", advice="use `tailrace status` and `tailrace running`, with --json")
    settings, jobs = configured()
    with (
        suppress(KeyboardInterrupt),  # how it ends
        connect(settings) as connection,
        Live(console=console, auto_refresh=False, screen=False) as live,
    ):
        sessions, looked_at, summaries, cells = Sessions(connection), 0.0, list[Summary](), dict[UUID, Cell]()
        while True:
            found = sessions.running()
            unknown = any(one.request_id not in cells for one in found)
            if unknown or time.monotonic() - looked_at > _LOOK_SECONDS:
                summaries, cells = _looked(settings, jobs, found)
                sessions.estimate({id_: cell.request for id_, cell in cells.items()}, jobs)
                looked_at = time.monotonic()
            live.update(screen(summaries, sessions.running(), cells, console.size), refresh=True)
            time.sleep(_EVERY_SECONDS)


def show_running(found: Sequence[Running], cells: Mapping[UUID, Cell]) -> None:
    """Prints a table of the exports that read now."""
    table(_HEADINGS, [_row(one, cells.get(one.request_id)) for one in found], right=_HEADINGS[2:8], spare=_SPARE)


_SPARE_OF_STATUS = ("proven", "last", "due", "queued")
_SPARE = ("waits for", "time", "MB/s")
_HEADINGS = ("job", "window", "rows", "size", "MB/s", "done", "left", "time", "waits for")


def _looked(settings: Settings, jobs: Jobs, found: Sequence[Running]) -> tuple[list[Summary], dict[UUID, Cell]]:
    now = datetime.now(UTC)
    with looking(settings, now, server=False) as seen:
        seen.running = list(found)
        covered = list(seen.coverages(jobs.values(), None, None))
    cells = {cell.request_id: cell for one in covered for cell in one.cells if cell.running}
    unknown = [one for one in found if one.request_id not in cells]
    return [summary_of(one.job, one.cells, now) for one in covered], {**cells, **cells_of(settings, jobs, unknown)}


def screen(
    summaries: Sequence[Summary], found: Sequence[Running], cells: Mapping[UUID, Cell], within: ConsoleDimensions
) -> Group:
    """What `watch` shows in so many columns and lines: if not all jobs fit, those that need a look first."""
    # Below the jobs: how many are left out, a blank line, the exports that run, and the cursor's line.
    room = max(1, within.height - 4 - max(1, len(found)))
    fits = len(summaries) <= room
    shown = list(summaries) if fits else sorted(summaries, key=_calm)[:room]
    more = None if fits else f"and {counted(len(summaries) - room, 'more job')}; `tailrace status` lists all"
    return Group(_overview(shown, within.width), *([more] if more else []), "", _bars(found, cells))


def _calm(one: Summary) -> tuple[bool, bool]:
    """Orders jobs: what is wrong first, then what is on its way."""
    moving = one.counts["running"] + one.counts["waiting"] + one.counts["retrying"] + one.counts["due"]
    return one.is_well, not moving


def _overview(summaries: Sequence[Summary], width: int) -> Table:
    headings, rows = rows_of(summaries)
    headings, *rows = without_spare([headings, *rows], _SPARE_OF_STATUS, width)
    overview = Table(*headings, box=None, pad_edge=False)
    for column in overview.columns[1:]:
        column.justify = "right"
    for row in rows:
        overview.add_row(*row)
    return overview


def _bars(found: Sequence[Running], cells: Mapping[UUID, Cell]) -> Progress | str:
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]:>4}"),
        TextColumn("{task.fields[speed]}"),
    )
    for one in found:
        fields = _fields(one, cells.get(one.request_id))
        left = f", {brief(one.seconds_left)} left" if one.seconds_left is not None else ""
        speed = f"{size(one.bytes)}, {fields['mb_per_second']} MB/s{left}"
        # Beyond its estimate a bar stays just below full: the end is not known. Without one it has no end.
        total = max(one.estimated_rows, one.rows + 1) if one.estimated_rows else None
        what = f"{fields['job']} {fields['window']}"
        bars.add_task(what, total=total, completed=one.rows if total else 0, speed=speed, done=_done(one))
    return bars if found else "no export reads now"


def _done(one: Running) -> str:
    return f"{min(99, 100 * one.rows // one.estimated_rows)} %" if one.estimated_rows else "-"


def _row(one: Running, cell: Cell | None) -> list[object]:
    fields = _fields(one, cell)
    left = "-" if one.seconds_left is None else brief(one.seconds_left)
    numbers = [f"{one.rows:,}", size(one.bytes), fields["mb_per_second"], _done(one), left, brief(one.seconds)]
    return [fields["job"], fields["window"], *numbers, one.waits_for or ""]


def _fields(one: Running, cell: Cell | None) -> dict[str, object]:
    return {
        "job": cell.job.name if cell else one.job,
        "window": cell.start if cell else "?",
        "request_id": one.request_id,
        "rows": one.rows,
        "bytes": one.bytes,
        "mb_per_second": round(one.bytes / 1e6 / one.seconds, 1) if one.seconds else 0.0,
        "estimated_rows": one.estimated_rows,
        "seconds": round(one.seconds, 1),
        "seconds_left": None if one.seconds_left is None else round(one.seconds_left, 1),
        "pids": one.pids,
        "waits_for": one.waits_for,
    }
