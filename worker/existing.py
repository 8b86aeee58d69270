"""What a blob that is there already means for a request, and when an export looks for it."""

from dataclasses import dataclass

from connections.storage import tag_of
from contracts.errors import ExportInterrupted, SinkRejected, SinkUnavailable, TailraceError
from contracts.receipt import Receipt
from contracts.request import ExportRequest
from worker.blob.sink import BlobChangedError, Found, Sink
from worker.source.snapshot import Planned

# Such an export takes some tens of milliseconds at most, a few times as long as a look. The cost is the planner's, of
# a query that reads much and gives little.
_SMALL_BYTES = 4 << 20
_SMALL_COST = 10_000.0


@dataclass(frozen=True, slots=True)
class Exported:
    """`outcome` is exported, already-there, or superseded by a newer run of the same blob; `receipt` is the blob's."""

    outcome: str
    receipt: Receipt


def looks_first(request: ExportRequest, attempt: int) -> bool:
    """Whether an export looks for its blob before it connects to PostgreSQL.

    The commit alone decides whether the blob is written. A first attempt seldom finds it, unless its job replaces
    blobs: then the commit needs the entity tag.
    """
    return attempt > 1 or request.if_exists == "replace" or request.replaces is not None


def looks_later(planned: Planned) -> bool:
    """Whether an export that has not looked yet is so large that it looks before it reads."""
    return planned.rows * planned.row_bytes > _SMALL_BYTES or planned.cost > _SMALL_COST


def look(request: ExportRequest, sink: Sink) -> Found | Exported | None:
    """The blob to be replaced, or the outcome if the request is done; None if there is no blob.

    Raises SinkRejected if the blob is another's.
    """
    found = sink.find(request.blob)
    return found and (_outcome_of(found, request) or found)


def after_change(request: ExportRequest, sink: Sink, error: BlobChangedError) -> Exported:
    """The outcome of an export whose commit found the blob changed. Raises SinkRejected or SinkUnavailable."""
    seen = look(request, sink)
    if isinstance(seen, Exported):
        return seen
    raise SinkUnavailable(f"another writer changed blob {request.blob!r} during the export ({error})")


def after_failure(request: ExportRequest, sink: Sink, error: TailraceError) -> Exported:
    """The outcome of an export that failed and had not looked: a request whose blob is there is done.

    Raises SinkRejected if the blob is another's, SinkRejected or SinkUnavailable if the look fails, else `error`.
    """
    if isinstance(error, ExportInterrupted | SinkUnavailable):
        # There is no time to look, or nobody to ask; the next attempt looks first.
        raise error
    seen = look(request, sink)
    if isinstance(seen, Exported):
        return seen
    raise error


def _outcome_of(found: Found, request: ExportRequest) -> Exported | None:
    """What the blob that is there means for a request: already done, superseded by a newer one, or None: replace it."""
    receipt = found.receipt
    if request.replaces is not None and request.replaces == tag_of(found.etag):
        return None
    if receipt is not None and receipt.request_id == request.request_id:
        return Exported("already-there", receipt)
    if request.if_exists == "refuse":
        owner = f"request {receipt.request_id} of job {receipt.job}" if receipt else "something other than Tailrace"
        raise SinkRejected(
            f"blob {request.blob!r} is there already, written by {owner}",
            advice='remove it, or set if_exists = "replace" for the job and replay',
            reason="BlobExists",
        )
    if receipt is not None and (receipt.revision, receipt.run) > (request.revision, request.run):
        return Exported("superseded", receipt)
    return None
