"""Looks at windows that were audited before: the oldest may lose their blobs, and those behind them may not."""

from collections.abc import Iterator
from datetime import datetime
from itertools import batched

from operations.blobs import Blobs
from operations.ledger import Ledger
from operations.spans import Bound
from operations.windows import WindowBlob
from producer.ask import requests_between

_BATCH = 64
_PAGE = 5_000  # names in one round trip


def pass_over_deleted(ledger: Ledger, blobs: Blobs, now: datetime) -> int:
    """Lets the ledger begin with the oldest window whose blob is there; returns how many verified ones it passed over.

    One round trip if none was deleted. A window that lacks its blob behind one that has it is left to be named.
    """
    origin, through, passed = ledger.origin, ledger.verified_through, 0
    if origin is None or through is None:
        return 0
    for requests in batched(requests_between(ledger.job, str(origin), str(through), now), _BATCH, strict=False):
        found = blobs.named([request.blob for request in requests])
        for request in requests:
            if request.blob in found:
                return passed
            ledger.origin, passed = ledger.bounds(request)[1], passed + 1
    # All of them: the next audit begins with the oldest blob.
    ledger.origin = None
    return passed


def lost_behind(ledger: Ledger, blobs: Blobs, through: Bound, now: datetime) -> Iterator[WindowBlob]:
    """The windows from the ledger's first one to `through` whose own blob is not there any more."""
    if ledger.origin is None:
        return
    for requests in batched(requests_between(ledger.job, str(ledger.origin), str(through), now), _PAGE, strict=False):
        found = blobs.named([request.blob for request in requests])
        for request in requests:
            window = WindowBlob(request, found.get(request.blob))
            if not window.is_own:
                yield window
