"""Verifies the blobs of a job: each against its receipt, all against the manifest. Needs no database."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from contracts.job import ExportJob
from contracts.manifest import Entry
from operations.blobs import BlobReplaced, Blobs
from operations.chain import Broken, check_blobs, check_chain, holds_head, latest_of
from operations.manifests import Manifests
from operations.verify import Verified, verify, verify_quickly
from operations.windows import WindowBlob, windows_of
from producer.ask import bound
from settings import Settings

_PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Range:
    """The windows of a job that begin in [since, until), as a person wrote them; None is as far as there are any."""

    job: ExportJob
    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class JobVerified:
    """What is wrong with the blobs of a job. `head` is the SHA-256 of the manifest's last file, None if it has none."""

    windows: int
    intact: int
    broken: tuple[Broken, ...]
    listed: int
    head: str | None

    def count(self, kind: str) -> int:
        """How many are broken in this way."""
        return sum(one.kind == kind for one in self.broken)


class JobVerification:
    """One verification of a range of a job's windows."""

    def __init__(self, settings: Settings, wanted: Range, now: datetime) -> None:
        """Lists what is there. Raises AskRefused if the range has no window."""
        self._job = wanted.job
        self._from_first = wanted.since is None
        self._blobs = Blobs(settings, _PARALLEL)
        self._chain = Manifests(settings).chain(wanted.job.name)
        listed = latest_of(record.value for record in self._chain)
        bounds = [(entry.start, entry.end) for entry in listed.values()]
        self._windows = list(windows_of(wanted.job, self._blobs, wanted.since, wanted.until, now, bounds))
        self._entries = [entry for entry in listed.values() if _is_within(entry, wanted)]

    @property
    def size(self) -> int:
        """The bytes of all blobs to be read."""
        return sum(window.blob.size for window in self._windows if window.blob and window.is_own)

    def run(self, advance: Callable[[int], object], *, quick: bool, head: str | None = None) -> JobVerified:
        """Reads the blobs, or compares lengths only if `quick`; `head` is what the manifest's end was at some time."""
        found = self._verified(advance, quick=quick)
        damaged = [Broken(one.blob, "damaged", "; ".join(one.problems)) for one in found if one.problems]
        by_manifest = [
            *check_chain(self._chain, from_first=self._from_first),
            *self._against_head(head),
            *self._against_entries(),
        ]
        named = {one.subject for one in by_manifest}
        lacking = [one for window in self._windows if window.request.blob not in named for one in _lacking(window)]
        intact = sum(not one.problems and one.blob not in named for one in found)
        last = self._chain[-1].sha256 if self._chain else None
        broken = (*lacking, *damaged, *by_manifest)
        return JobVerified(len(self._windows), intact, broken, len(self._entries), last)

    def _verified(self, advance: Callable[[int], object], *, quick: bool) -> list[Verified]:
        def one(window: WindowBlob) -> Verified:
            assert window.blob is not None
            blobs, blob = self._blobs, window.blob
            try:
                found = verify_quickly(blobs, blob) if quick else verify(blobs, blob, self._job.output)
            except BlobReplaced as error:
                found = Verified(blob.name, (str(error),))
            advance(0 if quick else blob.size)
            return found

        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="verify") as threads:
            return list(threads.map(one, [window for window in self._windows if window.is_own]))

    def _against_entries(self) -> Sequence[Broken]:
        there = {window.blob.name: window.blob for window in self._windows if window.blob}
        # Under names that the job's template does not give any more.
        others = [entry.blob for entry in self._entries if entry.blob not in there]
        history = [entry for record in self._chain for entry in record.value.entries]
        return list(check_blobs(self._entries, {**self._blobs.named(others), **there}, history))

    def _against_head(self, head: str | None) -> Sequence[Broken]:
        if head is None or holds_head(self._chain, head.lower()):
            return ()
        says = f"no file of it ever had the SHA-256 {head[:64]}: its end was removed, or it was written anew"
        return (Broken(self._job.name, "manifest", says),)


def _lacking(window: WindowBlob) -> Sequence[Broken]:
    if window.blob is None:
        return (Broken(window.start, "missing", "no blob", window.end),)
    if not window.is_own:
        return (Broken(window.start, "foreign", f"{window.request.blob} was not written for this window"),)
    return ()


def _is_within(entry: Entry, wanted: Range) -> bool:
    start = bound(wanted.job, entry.start)
    since, until = (bound(wanted.job, text) if text is not None else None for text in (wanted.since, wanted.until))
    return (since is None or since <= start) and (until is None or start < until)  # type: ignore[operator]  # of one type
