"""The receipt: what was exported, recorded on the blob itself by the commit that makes it visible."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, ValidationError
from pydantic_core import from_json

from contracts import row_hash
from contracts.model import JobName, Model
from contracts.output import Output
from contracts.request import ExportRequest
from contracts.window import Instant, Window

_SNAPSHOT_LIMIT = 1024
# Azure allows 8 KB of keys and values. Names and types of columns get the space that the other fields leave.
_METADATA_LIMIT = 8192
_PROOFS = ("transactions", "writers")


class Part(Model):
    """One contiguous piece of the blob: its rows, bytes as PostgreSQL sent them, bytes in the blob, their SHA-256."""

    rows: int
    csv_bytes: int
    blob_bytes: int
    sha256: str
    # The hash of the part's rows; the receipt has the sum.
    row_hash: Annotated[int | None, Field(exclude=True)] = None


class SourceColumn(Model):
    """A column as PostgreSQL describes it: its name, and its type as format_type() writes it."""

    name: str
    type: str


class Closed(Model):
    """How the window was proven closed, at the time `at` of the server's clock.

    `by` is transactions or writers; delay proves nothing. `open` names who could still add rows when the wait ended; if
    set, the window is not proven closed.
    """

    by: Literal["transactions", "writers", "delay"]
    at: Instant
    open: Annotated[str, Field(max_length=500)] | None = None

    @property
    def is_proven(self) -> bool:
        """Whether no row could still arrive, as far as PostgreSQL shows."""
        return self.by in _PROOFS and self.open is None


def is_proof(written: str | None) -> bool:
    """Whether metadata says that a window was proven closed.

    Looks at what makes `Closed.is_proven`: to validate each receipt of many takes twenty times as long.

    >>> is_proof('{"by": "writers", "at": "2026-01-01T00:00:00Z"}'), is_proof('{"by": "delay"}'), is_proof("[]")
    (True, False, False)
    """
    try:
        closed = from_json(written or "{}")
    except ValueError:
        return False
    return isinstance(closed, dict) and closed.get("by") in _PROOFS and closed.get("open") is None


@dataclass(frozen=True, slots=True)
class Read:
    """The result of reading the source: the parts, the snapshot's id, the hash of all rows, the columns, the proof."""

    parts: tuple[Part, ...]
    snapshot: str
    row_hash: int | None = None
    columns: tuple[SourceColumn, ...] | None = None
    closed: Closed | None = None


class Receipt(Model):
    """Proof of one export; lives in the blob's metadata (at most 8 KB, one field a key, ASCII values).

    `row_hash` is the order-independent hash of the rows, 16 hex digits; `output` the form in which they are written;
    `attempts` how many deliveries the export took, redeliveries and retries included.
    Fields that are None were not recorded by the version that made the export.
    """

    request_id: UUID
    job: JobName
    rows: int
    csv_bytes: int
    blob_bytes: int
    parts: tuple[Part, ...]
    snapshot: str
    revision: int
    run: Instant
    started_at: Instant
    exported_at: Instant
    window: Window | None = None
    row_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    columns: tuple[SourceColumn, ...] | None = None
    output: Output | None = None
    closed: Closed | None = None
    attempts: Annotated[int, Field(ge=1)] | None = None

    @classmethod
    def of(cls, request: ExportRequest, read: Read, span: tuple[datetime, datetime], attempts: int = 1) -> Self:
        """The receipt of a finished `request`. Totals are sums over the parts; `span` is the begin and the commit."""
        parts = read.parts
        return cls(
            request_id=request.request_id,
            job=request.job,
            rows=sum(part.rows for part in parts),
            csv_bytes=sum(part.csv_bytes for part in parts),
            blob_bytes=sum(part.blob_bytes for part in parts),
            parts=parts,
            snapshot=_shortened(read.snapshot),
            revision=request.revision,
            run=request.run,
            started_at=span[0],
            exported_at=span[1],
            window=request.window,
            row_hash=row_hash.written(read.row_hash),
            columns=read.columns,
            output=request.output.for_reading,
            closed=read.closed,
            attempts=attempts,
        )

    @property
    def seconds(self) -> float:
        """From the first look at the source to the commit."""
        return (self.exported_at - self.started_at).total_seconds()

    def to_metadata(self) -> dict[str, str]:
        """The blob metadata: keys are C# identifiers as Azure wants them, values ASCII."""
        fields = self.model_dump(mode="json", exclude_none=True, exclude={"columns", "output"})
        if self.output is not None:
            fields["output"] = self.output.model_dump(mode="json", exclude_defaults=True)
        written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        left = _METADATA_LIMIT - sum(len(key) + len(value) for key, value in written.items()) - len("columns")
        if self.columns is not None and len(packed := _packed(self.columns)) <= left:
            written["columns"] = packed
        return written

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """The receipt on a blob, or None if Tailrace did not write the blob."""
        fields: dict[str, object] = {key: metadata[key] for key in cls.model_fields if key in metadata}
        try:
            for key in ("parts", "window", "output", "closed"):
                if key in fields:
                    fields[key] = from_json(metadata[key])
            if "columns" in fields:
                fields["columns"] = _unpacked(metadata["columns"])
            return cls.model_validate(fields)
        except (ValidationError, ValueError):
            return None


def _packed(columns: tuple[SourceColumn, ...]) -> str:
    """Columns as text: JSON pairs of name and type, deflated, in base 64."""
    pairs = json.dumps([[column.name, column.type] for column in columns], ensure_ascii=False)
    return b64encode(zlib.compress(pairs.encode(), 9)).decode()


def _unpacked(text: str) -> list[dict[str, object]]:
    """The inverse of _packed. Raises ValueError for any other text."""
    decoder = zlib.decompressobj()
    try:
        pairs = from_json(decoder.decompress(b64decode(text, validate=True), 1 << 20))
        return [{"name": name, "type": type_} for name, type_ in pairs]
    except (zlib.error, TypeError) as error:
        raise ValueError("no columns") from error


def _shortened(snapshot: str) -> str:
    """A snapshot lists every running transaction, which on a busy server is more than metadata can hold.

    >>> len(_shortened("10:20:" + ",".join(map(str, range(10, 2000)))))
    1024
    """
    return snapshot if len(snapshot) <= _SNAPSHOT_LIMIT else f"{snapshot[: _SNAPSHOT_LIMIT - 2]}.."
