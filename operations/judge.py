"""Pure: what an audit says of one window, from its blob, its count of rows, or its rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.ncrontab import last_fire_time
from contracts.request import ExportRequest
from operations.windows import WindowBlob
from worker.reread import Reread

# equal: the source is as it was exported. late: the source has more rows. changed: other rows. missing: no blob.
# foreign: another blob has its name. gone: the source has no rows of it any more. due: not exported yet, and in time.
# open: equal, and not proven closed. unhashed: its receipt holds no hash to compare with.
type Kind = Literal["equal", "late", "changed", "gone", "missing", "foreign", "due", "open", "unhashed"]
type Means = Literal["blob", "count", "rows"]

# What is due, beyond the wait for the window to close: an export on a busy queue.
_GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a window, and by which means. `rows` are those of the source, None if they were not counted."""

    window: WindowBlob
    kind: Kind
    by: Means
    says: str = ""
    rows: int | None = None
    is_drift: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a window beforehand: whether it was verified, and is closed by now, or why not."""

    was_verified: bool
    is_closed: bool
    why_open: str | None = None

    @property
    def who(self) -> str:
        """Why it is open, as the end of a message."""
        return f": {self.why_open}" if self.why_open else ""


def by_blob(window: WindowBlob, job: ExportJob, now: datetime) -> Finding | None:
    """None if the window's own blob is there."""
    if window.is_own:
        return None
    if window.blob is not None:
        says = f"{window.blob.name} was not written for this window"
        return Finding(window, "foreign", "blob", says, is_drift=True)
    if not is_due(job, window.request, now - _grace(job)):
        return Finding(window, "due", "blob", "it is due and not exported yet")
    return Finding(window, "missing", "blob", "no blob", is_drift=True)


def by_count(window: WindowBlob, rows: int, known: Known) -> Finding:
    """Compares the count of rows with the receipt of the window's own blob."""
    difference = _count_differs(window, rows, "count", known)
    if difference:
        return difference
    if not known.is_closed:
        return Finding(window, "open", "count", f"as many rows, but more can still arrive{known.who}", rows)
    return Finding(window, "equal", "count", rows=rows)


def by_rows(window: WindowBlob, found: Reread, known: Known) -> Finding:
    """Compares the rows themselves with the receipt of the window's own blob."""
    receipt = window.blob.receipt if window.blob else None
    assert receipt is not None
    if found.row_hash is None and found.columns:
        says = f"its rows cannot be read as they were: {', '.join(found.columns)}"
        return Finding(window, "changed", "rows", says, is_drift=True)
    if difference := _count_differs(window, found.rows, "rows", known):
        return difference
    if receipt.row_hash is None or found.row_hash is None:
        return Finding(window, "unhashed", "rows", "its receipt holds no hash of its rows", found.rows)
    if receipt.row_hash != found.row_hash:
        why = f"; {', '.join(found.columns)}" if found.columns else ""
        says = f"as many rows, {found.rows:,}, but not the same: their hash differs{why}"
        return Finding(window, "changed", "rows", says, found.rows, is_drift=True)
    if not known.is_closed:
        return Finding(window, "open", "rows", f"the same rows, but more can still arrive{known.who}", found.rows)
    return Finding(window, "equal", "rows", rows=found.rows)


def is_due(job: ExportJob, request: ExportRequest, now: datetime) -> bool:
    """Whether the timer has asked for a window by `now`; no clock asks for windows of numbers."""
    if not isinstance(job.window, TimeGrid):
        return True
    asked = last_fire_time(job.schedule, now) if job.schedule else now
    return request.run + job.window.delay <= asked


def _grace(job: ExportJob) -> timedelta:
    return _GRACE + (job.window.closed_wait if job.window else timedelta(0))


def _count_differs(window: WindowBlob, rows: int, by: Means, known: Known) -> Finding | None:
    receipt = window.blob.receipt if window.blob else None
    assert receipt is not None
    exported = receipt.rows
    if rows == exported:
        return None
    if rows == 0:
        # Who deletes from the source what was verified does what exports are for.
        after = ", after it was verified" if known.was_verified else ", and it was never verified"
        says = f"the source has none of its {exported:,} rows any more{after}"
        return Finding(window, "gone", by, says, rows, is_drift=not known.was_verified)
    says = f"the source has {rows:,} rows, {exported:,} were exported"
    if rows < exported:
        return Finding(window, "changed", by, says, rows, is_drift=True)
    left_open = receipt.closed.open if receipt.closed else None
    why = f"; it was exported while open: {left_open}" if left_open else ""
    return Finding(window, "late", by, f"{says}{why}", rows, is_drift=True)
