"""Which state each window of a job is in, by what is there, alive, dead and running."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.job import ExportJob
from contracts.message import NO_LINEAGE
from contracts.receipt import Part, Read, Receipt
from operations.blobs import Blob
from operations.coverage import Cell, Evidence, cover, cover_runs
from operations.running import Running
from operations.summary import ranges_of, summary_of
from producer.facts import Dead, Live, QueueView, Run
from producer.schedule import request_for_run, request_for_window
from producer.windows import windows_between

NOW = datetime(2026, 3, 10, 0, 30, tzinfo=UTC)
WINDOW = {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "5 days"}
TABLE: dict[str, Any] = {"name": "j", "schema": "s", "table": "t", "blob": "{window_start:%F}", "window": WINDOW}
JOB = ExportJob.model_validate(TABLE)
WINDOWS = list(windows_between(JOB.window, NOW.replace(minute=0) - timedelta(days=8), NOW))  # type: ignore[arg-type]
IDS = [request_for_window(JOB, window, NOW).request_id for window in WINDOWS]
RUNNING = Running(UUID(int=0), "j", (7,), NOW, 1.0, 10, 100)
READ = Read((Part(rows=1, csv_bytes=1, blob_bytes=1, sha256="0" * 64),), "1:1:")
DEAD = Dead(5, "TableMissing", "it is gone", NOW, NO_LINEAGE)


def blob(name: str, request_id: UUID | None, **metadata: str) -> Blob:
    known = {"request_id": str(request_id)} if request_id else {}
    return Blob(name, "e", 1, {**known, **metadata})


def states(evidence: Evidence, job: ExportJob = JOB, now: datetime = NOW) -> list[str]:
    return [cell.state for cell in cover(job, WINDOWS, evidence, now)]


def test_windows_without_anything_are_missing_within_catch_up_too_old_before_and_not_due_after() -> None:
    old, young = ["too-old"] * 3, ["missing"] * 5
    assert states(Evidence({})) == [*old, *young, "not-due"]
    assert states(Evidence({}), now=NOW - timedelta(minutes=28)) == [*old, *young[1:], "due", "not-due"]


def test_a_job_that_is_switched_off_has_nothing_that_a_tick_would_ask_for() -> None:
    off = ExportJob.model_validate({**TABLE, "enabled": False})
    assert states(Evidence({}), off)[:8] == ["too-old"] * 8


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (Evidence({"2026-03-05": blob("2026-03-05", IDS[3])}), "there"),
        (Evidence({"2026-03-05": blob("2026-03-05", IDS[4])}), "foreign"),
        (Evidence({"2026-03-05": blob("2026-03-05", None)}), "foreign"),
        (Evidence({}, running={IDS[3]: RUNNING}), "running"),
        (Evidence({}, QueueView({IDS[3]: Live(1, None)})), "waiting"),
        (Evidence({}, QueueView({IDS[3]: Live(2, NOW, "LockTimeout: t")})), "retrying"),
        (Evidence({}, QueueView({}, {IDS[3]: DEAD})), "dead"),
        # What is there counts more than what the queue still holds of it; a live message more than a dead letter.
        (Evidence({"2026-03-05": blob("2026-03-05", IDS[3])}, QueueView({IDS[3]: Live(1, None)})), "there"),
        (Evidence({"2026-03-05": blob("2026-03-05", IDS[3])}, QueueView({}, {IDS[3]: DEAD})), "there"),
        (Evidence({}, QueueView({IDS[3]: Live(1, None)}, {IDS[3]: DEAD})), "waiting"),
        (Evidence({}, QueueView({IDS[3]: Live(1, None)}), {IDS[3]: RUNNING}), "running"),
    ],
)
def test_a_window_has_one_state_by_all_that_is_seen_of_it(evidence: Evidence, expected: str) -> None:
    assert states(evidence)[3] == expected


def test_a_dead_letter_says_why_and_a_retry_when() -> None:
    view = QueueView({IDS[4]: Live(2, NOW, "LockTimeout: t is locked")}, {IDS[3]: DEAD})
    cells = list(cover(JOB, WINDOWS, Evidence({}, view), NOW))
    assert cells[3].why == "TableMissing: it is gone"
    assert (cells[4].why, cells[4].when) == ("LockTimeout: t is locked", NOW)


def test_neighbours_of_one_state_and_reason_are_one_range() -> None:
    view = QueueView({}, {IDS[4]: DEAD, IDS[5]: DEAD})
    found = [(one.state, one.start, one.end, len(one.cells)) for one in ranges_of(cells(view), ["dead", "missing"])]
    assert found == [
        ("missing", "2026-03-05", "2026-03-06", 1),
        ("dead", "2026-03-06", "2026-03-08", 2),
        ("missing", "2026-03-08", "2026-03-10", 2),
    ]


def cells(view: QueueView, blobs: Mapping[str, Blob] | None = None) -> list[Cell]:
    return list(cover(JOB, WINDOWS, Evidence(blobs or {}, view), NOW))


def test_lag_is_since_the_end_of_the_oldest_due_window_that_has_no_blob() -> None:
    summary = summary_of(JOB, cells(QueueView({IDS[3]: Live(1, None)})), NOW)
    assert summary.lag_seconds == timedelta(days=4, minutes=30).total_seconds()
    assert (summary.due, summary.counts["waiting"], summary.is_well) == (8, 1, False)
    there = {f"2026-03-0{day}": blob(f"2026-03-0{day}", IDS[day - 2]) for day in range(2, 10)}
    well = summary_of(JOB, cells(QueueView(), there), NOW)
    assert (well.lag_seconds, well.is_well, well.counts["there"]) == (0.0, True, 8)


def test_a_job_without_windows_has_its_exports_and_its_latest_run() -> None:
    runs = ExportJob.model_validate(
        {"name": "r", "schema": "s", "table": "t", "blob": "r/{run:%F}", "schedule": "0 0 0 * * *"}
    )
    latest = request_for_run(runs, NOW.replace(minute=0))
    assert [(cell.state, cell.start) for cell in cover_runs(runs, Evidence({}), NOW)] == [("missing", "2026-03-10")]
    seen = Evidence({}, QueueView({latest.request_id: Live(1, None)}))
    assert [cell.state for cell in cover_runs(runs, seen, NOW)] == ["waiting"]


def test_a_run_that_was_asked_for_by_hand_is_dead_until_a_later_one_has_a_blob() -> None:
    runs = ExportJob.model_validate({"name": "r", "schema": "s", "table": "t", "blob": "r/{run}"})
    early, late = (request_for_run(runs, NOW - timedelta(days=days)) for days in (4, 2))
    other = {UUID(int=9): Run("other", NOW, "other")}
    known = {one.request_id: Run("r", one.run, one.blob) for one in (early, late)} | other
    both = QueueView({}, {early.request_id: DEAD, late.request_id: DEAD}, runs=known)
    assert [(cell.state, cell.start[:10]) for cell in cover_runs(runs, Evidence({}, both), NOW)] == [
        ("dead", "2026-03-06"), ("dead", "2026-03-08"),
    ]  # fmt: skip
    between = request_for_run(runs, NOW - timedelta(days=3))
    there = Blob(between.blob, "e", 1, Receipt.of(between, READ, (NOW, NOW)).to_metadata())
    assert [cell.state for cell in cover_runs(runs, Evidence({there.name: there}, both), NOW)] == ["there", "dead"]


def test_a_hundred_thousand_windows_are_all_told_apart() -> None:
    hours = ExportJob.model_validate({**TABLE, "blob": "{window_start:%F/%H}", "window": {**WINDOW, "every": "1 hour"}})
    windows = list(windows_between(hours.window, NOW - timedelta(hours=100_000), NOW))  # type: ignore[arg-type]
    found = list(cover(hours, windows, Evidence({}), NOW))
    assert len({cell.request_id for cell in found}) == len({cell.name for cell in found}) == len(windows) >= 100_000
