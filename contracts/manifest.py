"""The manifest: which exports of a job were there, each file linked to the one before. docs/reference/receipts.md."""

from hashlib import sha256
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from contracts.model import JobName, Model
from contracts.receipt import Receipt
from contracts.window import Instant

_HEX = r"^[0-9a-f]{64}$"
Sha256 = Annotated[str, Field(pattern=_HEX)]


class Entry(Model):
    """One export of one window. `parts` is the SHA-256 of the hexadecimal SHA-256 of its parts, joined.

    A later entry of the same blob replaces an earlier one. A window without rows is proven empty if `closed` is
    transactions or writers.
    """

    start: str
    end: str
    blob: str
    request_id: UUID
    exported_at: Instant
    rows: int
    blob_bytes: int
    parts: Sha256
    row_hash: str | None = None
    closed: Literal["transactions", "writers"] | None = None

    @classmethod
    def of(cls, blob: str, receipt: Receipt) -> Self:
        """The entry of a blob by its receipt, which is of a window."""
        assert receipt.window is not None
        window = receipt.window.model_dump(mode="json")
        proof = receipt.closed if receipt.closed and receipt.closed.is_proven else None
        return cls(
            start=str(window["start"]),
            end=str(window["end"]),
            blob=blob,
            request_id=receipt.request_id,
            exported_at=receipt.exported_at,
            rows=receipt.rows,
            blob_bytes=receipt.blob_bytes,
            parts=sha256("".join(part.sha256 for part in receipt.parts).encode()).hexdigest(),
            row_hash=receipt.row_hash,
            closed=proof.by if proof and proof.by != "delay" else None,
        )


class Manifest(Model):
    """One file of a job's chain. `number` counts from 1; `previous` is the SHA-256 of the bytes of the file before."""

    job: JobName
    number: Annotated[int, Field(ge=1)]
    previous: Sha256 | None = None
    entries: tuple[Entry, ...] = ()
