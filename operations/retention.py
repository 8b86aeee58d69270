"""Passes over the oldest windows of a job if their blobs were deleted after they were verified."""

from datetime import datetime
from itertools import batched

from operations.blobs import Blobs
from operations.ledger import Ledger
from producer.ask import requests_between

_BATCH = 64


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
