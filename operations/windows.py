"""The windows of a job in a range, with the blobs that are there for them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts.grid import IntegerGrid
from contracts.job import ExportJob
from contracts.request import ExportRequest
from operations.blobs import Blob, Blobs
from producer.ask import AskRefused, requests_between
from producer.schedule import request_for_run


@dataclass(frozen=True, slots=True)
class WindowBlob:
    """A window's request, and its blob if there is one. `is_own` says whether the blob is this window's."""

    request: ExportRequest
    blob: Blob | None

    @property
    def is_own(self) -> bool:
        """Whether a blob is there that was written for this window."""
        receipt = self.blob.receipt if self.blob else None
        return receipt is not None and receipt.request_id == self.request.request_id

    @property
    def start(self) -> str:
        """The window's start, as a person writes it; of a run, its time."""
        window = self.request.window
        return str(window.model_dump(mode="json")["start"]) if window else self.request.run.isoformat()

    @property
    def end(self) -> str:
        """The window's end, as a person writes it; of a run, its time."""
        window = self.request.window
        return str(window.model_dump(mode="json")["end"]) if window else self.start


def windows_of(  # a range, and what it is of
    job: ExportJob,
    blobs: Blobs,
    since: str | None,
    until: str | None,
    now: datetime,
    listed: Sequence[tuple[str, str]] = (),
) -> Iterator[WindowBlob]:
    """Every closed window of the range, oldest first; of a job without windows, the runs that have a blob.

    Raises AskRefused if there is none.

    Without `since` the range begins with the oldest blob; without `until` it ends now, or, as no clock closes windows
    of numbers, with the newest blob. `listed` are starts and ends of windows whose blob was there once.
    """
    if job.window is None:
        yield from _runs_of(job, blobs, since, until)
        return
    found = None
    has_numbers = isinstance(job.window, IntegerGrid)
    if since is None or (until is None and has_numbers):
        found = {blob.name: blob for blob in blobs.under(job.blob_prefix)}
        of_lists = [(int(start), int(end)) for start, end in listed] if has_numbers else listed
        bounds = _bounds_of(job, found.values(), of_lists)
        since = since or str(min(start for start, _ in bounds))
        until = until or (str(max(end for _, end in bounds)) if has_numbers else None)
    requests = list(requests_between(job, since, until or now.isoformat(timespec="seconds"), now))
    if not requests:
        raise AskRefused(f"no closed window of job {job.name!r} begins from {since} to {until or 'now'}")
    if found is None:
        found = blobs.named([request.blob for request in requests])
    for request in requests:
        yield WindowBlob(request, found.get(request.blob))


def _runs_of(job: ExportJob, blobs: Blobs, since: str | None, until: str | None) -> Iterator[WindowBlob]:
    begin, end = (_instant(text) if text is not None else None for text in (since, until))
    found = [
        WindowBlob(request_for_run(job, blob.receipt.run), blob)
        for blob in blobs.under(job.blob_prefix)
        if blob.receipt and blob.receipt.job == job.name and blob.receipt.window is None
    ]
    within = [one for one in found if (not begin or begin <= one.request.run) and (not end or one.request.run < end)]
    if not within:
        between = f" from {since or 'the first'} to {until or 'now'}" if since or until else ""
        raise AskRefused(f"no run of job {job.name!r}{between} has a blob")
    yield from sorted(within, key=lambda one: one.request.run)


def _instant(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise AskRefused(f"{text[:64]!r} is no day or time", advice="write 2026-01-31 or 2026-01-31T13:00Z") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def oldest_start(job: ExportJob, blobs: Blobs) -> str | None:
    """The start of the oldest window of the job that has a blob; None if none has."""
    try:
        return str(min(start for start, _ in _bounds_of(job, blobs.under(job.blob_prefix), ())))
    except AskRefused:
        return None


def _bounds_of(job: ExportJob, blobs: Iterable[Blob], listed: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Start and end of each window of the job that has a blob or is listed. Raises AskRefused if none has."""
    windows = [
        blob.receipt.window.model_dump(mode="json")
        for blob in blobs
        if blob.receipt and blob.receipt.job == job.name and blob.receipt.window
    ]
    bounds = [*((window["start"], window["end"]) for window in windows), *listed]
    if not bounds:
        raise AskRefused(f"job {job.name!r} has no blob of a window yet", advice="say which windows by --from and --to")
    return bounds
