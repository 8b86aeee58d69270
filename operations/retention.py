"""Looks at windows that were audited before: the oldest may lose their blobs, and those behind them may not."""

from datetime import datetime
from itertools import batched, chain, islice

from contracts.grid import IntegerGrid, TimeGrid
from contracts.request import ExportRequest
from operations.blobs import Blobs
from operations.ledger import Ledger
from operations.spans import Bound
from operations.windows import WindowBlob
from producer.ask import bound, requests_between

_PAGE = 5_000  # names in one round trip
_EARLIEST = "1000-01-02"
_LEAST = str(-(2**62))


def begin_earlier(ledger: Ledger, blobs: Blobs, now: datetime) -> None:
    """Lets the ledger begin earlier by windows with blobs of theirs that end where it begins: backfills add such."""
    job, grid = ledger.job, ledger.job.window
    earliest = str(grid.start or _EARLIEST) if isinstance(grid, TimeGrid) else _LEAST
    if ledger.origin is None or not bound(job, earliest) < ledger.origin:  # type: ignore[operator]  # of one type
        return
    before = requests_between(job, earliest, str(ledger.origin), now, newest_first=True)
    # Most often there is none, so one name is looked up first.
    for requests in chain([list(islice(before, 1))], batched(before, _PAGE, strict=False)):
        found = blobs.named([request.blob for request in requests])
        for request in requests:
            start, end = ledger.bounds(request)
            if end != ledger.origin or not WindowBlob(request, found.get(request.blob)).is_own:
                return
            ledger.origin = start


def first_window(ledger: Ledger, now: datetime) -> ExportRequest | None:
    """The request of the ledger's first window, before which there may be rows.

    None if there is none, if the job begins there by its `start`, or if its windows begin elsewhere now.
    """
    origin, grid = ledger.origin, ledger.job.window
    if origin is None:
        return None
    if isinstance(grid, TimeGrid) and grid.start and bound(ledger.job, str(grid.start)) == origin:
        return None
    until = origin + grid.size if isinstance(origin, int) and isinstance(grid, IntegerGrid) else now
    request = next(requests_between(ledger.job, str(origin), str(until), now), None)
    return request if request and ledger.bounds(request)[0] == origin else None


def look_behind(ledger: Ledger, blobs: Blobs, through: Bound, now: datetime) -> tuple[int, list[WindowBlob]]:
    """How many verified windows before all others were passed over, and the other ones whose own blob is gone.

    Looks at the windows from the ledger's first one to `through`, and lets the ledger begin with the oldest whose blob
    is there.
    """
    if ledger.origin is None:
        return 0, []
    passed, lost, verified = 0, list[WindowBlob](), ledger.verified_through
    for requests in batched(requests_between(ledger.job, str(ledger.origin), str(through), now), _PAGE, strict=False):
        found = blobs.named([request.blob for request in requests])
        for request in requests:
            window = WindowBlob(request, found.get(request.blob))
            start, end = ledger.bounds(request)
            is_oldest = start == ledger.origin and verified is not None and start < verified  # type: ignore[operator]  # of one type
            if window.blob is None and is_oldest:
                ledger.origin, passed = end, passed + 1
            elif not window.is_own:
                lost.append(window)
    if passed and ledger.origin == verified:
        # All of them: the next audit begins with the oldest blob.
        ledger.origin, lost = None, []
    return passed, lost
