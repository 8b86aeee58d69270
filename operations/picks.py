"""Which windows a budget reads again, in order: what was never verified, then what was the longest time ago."""

from collections.abc import Iterator
from datetime import datetime

from contracts.request import ExportRequest
from operations.ledger import Ledger
from operations.spans import Bound, covers
from producer.ask import requests_between


def picks(ledger: Ledger, until: Bound | None, now: datetime) -> Iterator[ExportRequest]:
    """Each window from the ledger's origin to `until` once; of those that are verified, the one at `next` first."""
    origin = ledger.origin
    if origin is None or until is None:
        return
    # As they are at the beginning: both change while the windows are read.
    verified, begin = ledger.verified, origin if ledger.next is None else ledger.next
    if not origin <= begin < until:  # type: ignore[operator]  # of one type
        begin = origin

    def between(since: Bound, end: Bound, *, are_verified: bool) -> Iterator[ExportRequest]:
        if since == end:
            return
        for request in requests_between(ledger.job, str(since), str(end), now):
            if covers(verified, *ledger.bounds(request)) == are_verified:
                yield request

    yield from between(origin, until, are_verified=False)
    for since, end in ((begin, until), (origin, begin)):
        yield from between(since, end, are_verified=True)
