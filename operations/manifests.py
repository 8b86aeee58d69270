"""Edge: the manifest of a job, a chain of files that an audit adds to. docs: receipts."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

from connections.records import Record, RecordChanged, Records, bytes_of
from contracts.errors import SinkRejected
from contracts.manifest import Entry, Manifest
from operations.blobs import Blob
from operations.chain import latest_of
from settings import Settings
from telemetry.events import event

_log = logging.getLogger(__name__)

# Entries of one file, about 300 bytes each: a file is read and written in one piece.
_MOST = 500


class Manifests:
    """The manifests of all jobs: `_tailrace/manifests/<job>/<month of writing>.json`, then `<month>.002`, and so on."""

    def __init__(self, settings: Settings) -> None:
        self._records = Records(settings, "manifests", Manifest)

    def chain(self, job: str) -> list[Record[Manifest]]:
        """All files of a job's chain, oldest first. Raises SinkRejected for a file that is no manifest."""
        found = (self._records.get(name) for name in sorted(self._records.names(f"{job}/")))
        return [record for record in found if record is not None]

    def add(self, job: str, blobs: Iterable[Blob], now: datetime) -> int:
        """Lists exports that the chain does not list yet; returns how many.

        An export that is no newer than the one that is listed is left to `tailrace verify`: it was put back or edited.
        Adds nothing if another process adds at the same time, or if this one may not write.
        """
        entries = [Entry.of(blob.name, blob.receipt) for blob in blobs if blob.receipt and blob.receipt.window]
        chain = self.chain(job) if entries else []
        known = latest_of(record.value for record in chain)
        new = [one for one in entries if one.blob not in known or known[one.blob].exported_at < one.exported_at]
        month, last, left = now.astimezone(UTC).strftime("%Y-%m"), chain[-1] if chain else None, new
        try:
            while left:
                last, left = self._added(job, month, last, left)
        except (RecordChanged, SinkRejected) as error:
            event(_log, logging.WARNING, "manifest not written", job=job, reason=error.reason, error=str(error))
        return len(new) - len(left)

    def _added(
        self, job: str, month: str, last: Record[Manifest] | None, new: list[Entry]
    ) -> tuple[Record[Manifest] | None, list[Entry]]:
        """Adds entries to the last file, or in a file that follows it; returns it, and what it has no room for."""
        is_open = last is not None and last.name.startswith(f"{job}/{month}")
        if last is not None and is_open and (room := _MOST - len(last.value.entries)) > 0:
            try:
                return self._put(last.name, last.value, new[:room], last), new[room:]
            except SinkRejected as error:
                # An immutability policy lets nobody add to a file: each addition is a file of its own.
                if not error.reason.startswith("BlobImmutable"):
                    raise
        number, previous = (last.value.number + 1, last.sha256) if last else (1, None)
        following = Manifest(job=job, number=number, previous=previous)
        return self._put(_name(job, month, last.name if last else ""), following, new[:_MOST], None), new[_MOST:]

    def _put(
        self, name: str, manifest: Manifest, new: list[Entry], over: Record[Manifest] | None
    ) -> Record[Manifest] | None:
        value = manifest.model_copy(update={"entries": (*manifest.entries, *new)})
        self._records.put(name, value, over=over, is_new=over is None)
        digest = sha256(bytes_of(value)).hexdigest()
        event(_log, logging.INFO, "manifest written", file=name, entries=len(value.entries), sha256=digest)
        return self._records.get(name)


def _name(job: str, month: str, last: str) -> str:
    """The name of the file that follows `last`; names sort as they follow each other.

    >>> _name("j", "2026-11", "j/2026-10.004"), _name("j", "2026-11", "j/2026-11"), _name("j", "2026-11", "")
    ('j/2026-11', 'j/2026-11.002', 'j/2026-11')
    """
    first = f"{job}/{month}"
    if not last.startswith(first):
        return first
    return f"{first}.{int(last.removeprefix(first).lstrip('.') or 1) + 1:03}"
