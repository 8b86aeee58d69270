"""What the commands show, as text: on a terminal of 80 and of 120 columns, and piped.

SCREENS=write .venv/bin/python -m pytest tests/unit/cli/test_screens.py writes the files in screens/ anew: look at them.
"""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console, ConsoleDimensions

from cli.backfills import show_standing
from cli.history import show_history
from cli.letters import group_fields, show_groups
from cli.running import screen as watched
from cli.running import show_running
from cli.show import fields_of, show_cell
from cli.status import show_missing, show_status
from cli.terminal import say
from contracts.jobs_file import Jobs, parse_jobs
from contracts.message import NO_LINEAGE
from contracts.receipt import Closed, Part, Read, Receipt
from operations.backfill import Backfill
from operations.backfills import Standing, State
from operations.blobs import Blob
from operations.coverage import WRONG, Cell, Evidence, cover
from operations.dead_choice import Group
from operations.proofs import Proof
from operations.running import Running
from operations.summary import ranges_of, summary_of
from producer.ask import one_request
from producer.facts import Dead, Live, QueueView
from producer.schedule import request_for_window
from producer.windows import GridWindow, windows_between

SCREENS = Path(__file__).parent / "screens"
NOW = datetime(2026, 3, 10, 7, 30, tzinfo=UTC)
REFUSED = "export of public.refunds was refused: division by zero (SQLSTATE 22012); correct the query or its data"


def _jobs() -> Jobs:
    def job(name: str, every: str, **more: Any) -> dict[str, Any]:
        window = {"column": "at", "type": "timestamptz", "every": every, "catch_up": "20 days"}
        return {
            "name": name,
            "schema": "public",
            "table": name,
            "blob": "{job}/{window_start}",
            "window": window,
            **more,
        }

    jobs = [job("bannerclicked", "1 day"), job("pageviews", "1 hour"), job("refunds", "1 day")]
    return parse_jobs({"job": jobs})


JOBS = _jobs()


def receipt(job: str, window: GridWindow, *, attempts: int | None = 1) -> Receipt:
    request = request_for_window(JOBS[job], window, NOW)
    number = request.request_id.int % 9000
    part = Part(
        rows=120_000 + 40 * number,
        csv_bytes=10_400_000 + 3000 * number,
        blob_bytes=2_150_000 + 400 * number,
        sha256="0" * 64,
    )
    at = request.run + timedelta(minutes=2)
    closed = Closed(by="transactions", at=at, open="pid 4711 of etl" if number % 5 == 0 else None)
    made = Receipt.of(
        request, Read((part,), "741:741:", 7, None, closed), (at, at + timedelta(seconds=1 + number / 900))
    )
    return made.model_copy(update={"attempts": attempts})


def cells(job: str, days: int) -> list[Cell]:
    """The windows of some days, of which some are missing, dead, on the queue, or another's."""
    windows = list(windows_between(JOBS[job].window, NOW - timedelta(days=days), NOW))  # type: ignore[arg-type]
    requests = [request_for_window(JOBS[job], window, NOW) for window in windows]
    blobs = {
        one.blob: Blob(one.blob, "e", 1, receipt(job, window).to_metadata())
        for number, (window, one) in enumerate(zip(windows, requests, strict=True))
        if number % 11 not in {3, 4, 7} and number < len(windows) - 3
    }
    if job == "refunds":
        blobs[requests[4].blob] = Blob(requests[4].blob, "e", 1, {})
    dead = {requests[3].request_id: Dead(17, "QueryFails", REFUSED, NOW - timedelta(hours=30), NO_LINEAGE)}
    retry = Live(3, NOW + timedelta(minutes=4), "LockTimeout: public.refunds is locked")
    live = {requests[-2].request_id: Live(1, None), requests[-3].request_id: retry}
    return list(cover(JOBS[job], windows, Evidence(blobs, QueueView(live, dead)), NOW))


COVERED = {
    "bannerclicked": cells("bannerclicked", 5)[:2],
    "pageviews": cells("pageviews", 13),
    "refunds": cells("refunds", 15),
}


def status() -> None:
    found = [summary_of(JOBS[name], covered, NOW) for name, covered in COVERED.items()]
    proofs = {
        "bannerclicked": Proof("2026-03-07", NOW, NOW - timedelta(days=3)),
        "pageviews": Proof("2026-03-09T22:00", NOW),
        "refunds": Proof(),
    }
    wrong = [gap for covered in COVERED.values() for gap in ranges_of(covered, WRONG)]
    show_status(found, proofs, wrong[:1] + wrong[-5:], NOW)


def missing() -> None:
    show_missing([gap for covered in COVERED.values() for gap in ranges_of(covered, WRONG)][-8:])


def running() -> None:
    first, second = COVERED["refunds"][6], COVERED["pageviews"][1]
    found = [
        Running(
            first.request_id, "refunds", (4711, 4712), NOW, 73.4, 3_400_000, 301_000_000, "IO: DataFileRead", 9_100_000
        ),
        Running(second.request_id, "pageviews", (4713,), NOW, 2.1, 91_000, 7_300_000, None, None),
        Running(UUID(int=7), "a-job-of-another-file", (4714,), NOW, 4000.0, 0, 0, "Lock: relation", None),
    ]
    show_running(found, {first.request_id: first, second.request_id: second})


def watch() -> None:
    watch_in(25)


def watch_short() -> None:
    """A line too few for all jobs."""
    watch_in(8)


def watch_in(height: int) -> None:
    first, second = COVERED["refunds"][6], COVERED["pageviews"][1]
    found = [
        Running(first.request_id, "refunds", (4711, 4712), NOW, 73.4, 3_400_000, 301_000_000, None, 9_100_000),
        Running(second.request_id, "pageviews", (4713,), NOW, 2.1, 91_000, 7_300_000, None, None),
    ]
    summaries = [summary_of(JOBS[name], covered, NOW) for name, covered in COVERED.items()]
    console, cells_ = Console(color_system=None), {one.request_id: one for one in (first, second)}
    with console.capture() as shown:
        console.print(watched(summaries, found, cells_, ConsoleDimensions(console.width, height)))
    say(*(line.rstrip() for line in shown.get().splitlines()))


def history() -> None:
    windows = [cell.window for cell in COVERED["refunds"] if cell.window and cell.state == "there"][-7:]
    made = [
        receipt("refunds", window, attempts=attempts)
        for window, attempts in zip(windows, (None, 1, 1, 3, 1, 1, 2), strict=True)
    ]
    show_history([(cell, one) for one in made for cell in COVERED["refunds"] if cell.request_id == one.request_id], 20)


def show() -> None:
    there = next(cell for cell in COVERED["refunds"] if cell.state == "there")
    dead = COVERED["refunds"][3]
    view = QueueView({}, {dead.request_id: Dead(17, "QueryFails", REFUSED, NOW - timedelta(hours=30), NO_LINEAGE)})
    for cell in (there, dead):
        show_cell(cell, fields_of(cell, view))


def dlq_list() -> None:
    ago = NOW - timedelta(days=2)
    requests = [one_request(JOBS["refunds"], "2026-03-01", NOW)]
    advice = 'relation "public.invoices" does not exist (SQLSTATE 42P01); create it, or correct the job'
    groups = [
        Group("TableMissing", "invoices", 31_204, ago, f"export of public.invoices was refused: {advice}"),
        Group("QueryFails", "refunds", 12, ago, REFUSED, requests),
        Group("MaxDeliveryCountExceeded", "pageviews", 1, ago, "the message was delivered 10 times"),
        Group("InvalidRequest", None, 3, ago, "no valid request: Invalid JSON: expected ident at line 1 column 2"),
    ]
    show_groups([group_fields(group, {}) for group in groups])


def backfills() -> None:
    asked = Backfill(
        by="ann@ops-1",
        at=NOW,
        job="pageviews",
        since="2025-01-01",
        until="2026-01-01",
        windows=8760,
        sent=8712,
        updated_at=NOW,
    )
    states: list[tuple[str, State, int, int, dict[str, Any]]] = [
        ("b-3f9a1c2d", "sending", 50, 2, {"sent": 1201, "in_flight": 50}),
        ("b-77aa0e51", "cancelled", 7_000, 0, {"only": "all"}),
        ("b-00c0ffee", "done", 0, 3, {"by": "somebody.with.a.long.name@a-machine-with-a-long-name.example.org"}),
    ]
    for id_, state, waiting, dead, more in states:
        show_standing(Standing(id_, asked.model_copy(update=more), state, waiting, dead), as_json=False)


ALL: list[Callable[[], None]] = [status, missing, running, watch, watch_short, history, show, dlq_list, backfills]


@pytest.mark.parametrize("columns", [80, 120, None])
@pytest.mark.parametrize("screen", ALL, ids=lambda screen: screen.__name__)
def test_a_screen_is_as_it_was_looked_at(
    screen: Callable[[], None], columns: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    screen()
    printed = capsys.readouterr().out
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert columns or text == printed, "piped output is plain"
    assert all(cell_len(line) <= (columns or 1000) and line == line.rstrip() for line in text.splitlines())
    file = SCREENS / f"{screen.__name__}-{columns or 'piped'}.txt"
    if os.environ.get("SCREENS") == "write":
        file.write_text(text)
    assert text == file.read_text()
