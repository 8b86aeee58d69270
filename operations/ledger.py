"""What audits of a job have found so far, while one of them goes on; read from and written to its record."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from contracts.audit import AuditRecord, Span
from contracts.job import ExportJob
from contracts.request import ExportRequest
from operations.judge import Finding, Known
from operations.spans import Bound, Spans, added, covers, end_of, removed
from producer.ask import bound


@dataclass(slots=True)
class Ledger:
    """The spans of a job's windows that are verified row by row, and those whose counts are equal."""

    job: ExportJob
    origin: Bound | None = None
    verified: Spans = ()
    counted: Spans = ()
    next: Bound | None = None
    drift: Counter[str] = field(default_factory=Counter)
    without_window: int | None = None
    rows_before: str | None = None

    @classmethod
    def of(cls, job: ExportJob, record: AuditRecord | None) -> "Ledger":
        """As the last audit left it. Raises AskRefused if the job's windows are of another type now."""
        if record is None:
            return cls(job)

        def spans(written: tuple[Span, ...]) -> Spans:
            return tuple((bound(job, span.start), bound(job, span.end)) for span in written)

        origin, following = (bound(job, text) if text is not None else None for text in (record.origin, record.next))
        verified, counted = spans(record.verified), spans(record.counted)
        before = record.rows_before
        return cls(job, origin, verified, counted, following, without_window=record.without_window, rows_before=before)

    @property
    def verified_through(self) -> Bound | None:
        """The end of the run of verified windows that begins with the first window."""
        return None if self.origin is None else end_of(self.verified, self.origin)

    @property
    def counted_through(self) -> Bound | None:
        """The end of the run of windows with equal counts that begins with the first window."""
        return None if self.origin is None else end_of(self.counted, self.origin)

    def known(self, request: ExportRequest, *, is_closed: bool, why_open: str | None = None) -> Known:
        """What is known of a window; `is_closed` says whether it is proven otherwise, `why_open` why it is not."""
        start, end = self.bounds(request)
        return Known(covers(self.verified, start, end), is_closed or covers(self.counted, start, end), why_open)

    def bounds(self, request: ExportRequest) -> tuple[Bound, Bound]:
        """Start and end of a request's window, comparable with those of other windows of the job."""
        assert request.window is not None
        written = request.window.model_dump(mode="json")
        return bound(self.job, str(written["start"])), bound(self.job, str(written["end"]))

    def note(self, finding: Finding) -> None:
        """Takes a finding into account."""
        start, end = self.bounds(finding.window.request)
        if finding.is_drift:
            self.drift[finding.kind] += 1
            self.verified, self.counted = removed(self.verified, start, end), removed(self.counted, start, end)
        elif finding.kind in {"equal", "gone"}:
            self.counted = added(self.counted, start, end)
            if finding.by == "rows" and finding.kind == "equal":
                self.verified = added(self.verified, start, end)

    def record(self, at: datetime) -> AuditRecord:
        """As it is to be written."""
        return AuditRecord(
            job=self.job.name,
            at=at,
            origin=_text(self.origin),
            verified_through=_text(self.verified_through),
            verified=_written(self.verified),
            counted=_written(self.counted),
            next=_text(self.next),
            drift=dict(self.drift),
            without_window=self.without_window,
            rows_before=self.rows_before,
        )


def _written(spans: Spans) -> tuple[Span, ...]:
    return tuple(Span(start=str(_text(start)), end=str(_text(end))) for start, end in spans)


def _text(value: Bound | None) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else None if value is None else str(value)
