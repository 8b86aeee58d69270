"""Pure: what contradicts a job's manifest: in its chain of files, and among the blobs that it lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from connections.records import Record, bytes_of
from contracts.manifest import Entry, Manifest
from operations.blobs import Blob


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is not as it was: `subject` is a blob, a file of the chain, or a window's start."""

    subject: str
    kind: str
    says: str
    end: str | None = None  # of a window


def latest_of(manifests: Iterable[Manifest]) -> dict[str, Entry]:
    """The entry that holds for each blob: its last."""
    return {entry.blob: entry for manifest in manifests for entry in manifest.entries}


def check_chain(chain: Sequence[Record[Manifest]], *, from_first: bool = True) -> Iterator[Broken]:
    """What is wrong with the links of a chain; nothing can be said of files that were removed from its end.

    Without `from_first` its oldest files may be gone, as by a lifecycle rule.
    """
    before: Record[Manifest] | None = None
    for record in chain:
        number = before.value.number + 1 if before else 1
        if before is None and not from_first:
            before = record
            continue
        if record.value.number != number:
            says = f"it is number {record.value.number} of the chain, where number {number} belongs"
            yield Broken(record.name, "manifest", f"{says}: a file before it was removed")
        elif record.value.previous != (before.sha256 if before else None):
            who = before.name if before else "the file before it"
            yield Broken(record.name, "manifest", f"it does not link to {who} as that is: one of the two was changed")
        before = record


def holds_head(chain: Iterable[Record[Manifest]], head: str) -> bool:
    """Whether a file of the chain had the SHA-256 `head` at some time; entries are only ever added to it."""
    for record in chain:
        value = record.value
        shorter = (value.model_copy(update={"entries": value.entries[:count]}) for count in range(len(value.entries)))
        if record.sha256 == head or any(sha256(bytes_of(one)).hexdigest() == head for one in shorter):
            return True
    return False


def check_blobs(entries: Iterable[Entry], blobs: Mapping[str, Blob], history: Iterable[Entry]) -> Iterator[Broken]:
    """Blobs that are not what their entries say. `history` are all entries of the chain, replaced ones included."""
    earlier = list(history)
    for entry in entries:
        blob = blobs.get(entry.blob)
        exported = f"request {entry.request_id}, exported {entry.exported_at.isoformat(timespec='seconds')}"
        if blob is None:
            yield Broken(entry.blob, "removed", f"it was there: {exported}, {entry.rows:,} rows")
        elif blob.receipt is None or blob.receipt.window is None:
            yield Broken(entry.blob, "exchanged", f"it was overwritten by something else: it was {exported}")
        else:
            found = Entry.of(blob.name, blob.receipt)
            if found == entry or found.exported_at > entry.exported_at:
                continue
            if found in earlier:
                when = found.exported_at.isoformat(timespec="seconds")
                yield Broken(entry.blob, "rolled back", f"it is the export of {when}: it was {exported}")
            else:
                differing = [name for name in Entry.model_fields if getattr(found, name) != getattr(entry, name)]
                yield Broken(entry.blob, "edited", f"its receipt differs in {', '.join(differing)}: it was {exported}")
