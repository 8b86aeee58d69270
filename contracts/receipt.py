"""The receipt: what was exported, recorded on the blob itself by the commit that makes it visible."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from contracts.model import JobName, Model
from contracts.request import ExportRequest
from contracts.window import Instant, Window

_SNAPSHOT_LIMIT = 1024


class Part(Model):
    """One run of the blob's bytes: rows of data, bytes of CSV before and after compression, SHA-256 of the latter."""

    rows: int
    csv_bytes: int
    blob_bytes: int
    sha256: str


class Receipt(Model):
    """Proof of one export; lives in the blob's metadata (at most 8 KB, one field a key, ASCII values)."""

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

    @classmethod
    def of(
        cls, request: ExportRequest, parts: tuple[Part, ...], snapshot: str, span: tuple[datetime, datetime]
    ) -> Self:
        """The receipt of `request` done: totals are sums over the parts; `span` is its begin and its commit."""
        return cls(
            request_id=request.request_id,
            job=request.job,
            rows=sum(part.rows for part in parts),
            csv_bytes=sum(part.csv_bytes for part in parts),
            blob_bytes=sum(part.blob_bytes for part in parts),
            parts=parts,
            snapshot=_shortened(snapshot),
            revision=request.revision,
            run=request.run,
            started_at=span[0],
            exported_at=span[1],
            window=request.window,
        )

    def to_metadata(self) -> dict[str, str]:
        """The blob metadata: keys are C# identifiers as Azure wants them, values ASCII."""
        fields = self.model_dump(mode="json", exclude_none=True)
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """The receipt on a blob, or None where the blob was not written by Tailrace."""
        fields: dict[str, object] = {key: metadata[key] for key in cls.model_fields if key in metadata}
        try:
            for key in ("parts", "window"):
                if key in fields:
                    fields[key] = from_json(metadata[key])
            return cls.model_validate(fields)
        except (ValidationError, ValueError):
            return None


def _shortened(snapshot: str) -> str:
    """A snapshot lists every transaction under way, which on a busy server is more than metadata can hold.

    >>> len(_shortened("10:20:" + ",".join(map(str, range(10, 2000)))))
    1024
    """
    return snapshot if len(snapshot) <= _SNAPSHOT_LIMIT else f"{snapshot[: _SNAPSHOT_LIMIT - 2]}.."
