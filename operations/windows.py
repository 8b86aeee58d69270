"""The windows of a job in a range, with the blobs that are there for them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from contracts.job import ExportJob
from contracts.request import ExportRequest
from operations.blobs import Blob, Blobs
from producer.ask import AskRefused, requests_between


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


def windows_of(
    job: ExportJob, blobs: Blobs, since: str | None, until: str | None, now: datetime
) -> Iterator[WindowBlob]:
    """Every closed window of the range, oldest first. Raises AskRefused if there is none."""
    if since is None:
        since = _oldest_start(job, blobs)
    requests = list(requests_between(job, since, until or _end(job, now), now))
    if not requests:
        raise AskRefused(f"no closed window of job {job.name!r} begins from {since} to {until or 'now'}")
    names = [request.blob for request in requests]
    found = blobs.named(names, os.path.commonprefix(names))  # noqa: RUF071  # a prefix of names, not of paths
    for request in requests:
        yield WindowBlob(request, found.get(request.blob))


def _end(job: ExportJob, now: datetime) -> str:
    return now.isoformat() if getattr(job.window, "type", "integer") != "integer" else str(2**62)


def _oldest_start(job: ExportJob, blobs: Blobs) -> str:
    """The start of the oldest window of the job that has a blob. Raises AskRefused if none has."""
    literal = job.blob_prefix
    starts = [
        blob.receipt.window.model_dump(mode="json")["start"]
        for blob in blobs.under(literal)
        if blob.receipt and blob.receipt.job == job.name and blob.receipt.window
    ]
    if not starts:
        raise AskRefused(f"job {job.name!r} has no blob of a window yet", advice="say which windows by --from and --to")
    return str(min(starts))
