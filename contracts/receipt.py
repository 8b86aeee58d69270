"""The receipt: what was exported, recorded on the blob itself by the commit that makes it visible."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ValidationError

from contracts.model import JobName, Model
from contracts.request import ExportRequest
from contracts.window import Window


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
    run: datetime
    started_at: datetime
    exported_at: datetime
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
            snapshot=snapshot,
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
                    fields[key] = json.loads(metadata[key])
            return cls.model_validate(fields)
        except (ValidationError, ValueError):
            return None
