"""What audits and drills leave behind, as records beside the exports."""

from typing import Annotated

from pydantic import Field

from contracts.model import JobName, Model
from contracts.window import Instant


class Span(Model):
    """Windows side by side, from the start of the first to the end of the last, as a person writes them."""

    start: str
    end: str


class AuditRecord(Model):
    """What the audits of a job have found so far: `_tailrace/audits/<job>.json`.

    `verified` are spans of windows that are present, closed and equal to their source row by row; `counted` of windows
    that are present and closed and have as many rows. `verified_through` is the end of the verified span that holds
    `origin`, the start of the first window; `next` is the window with which the next budget begins once all are
    verified. `drift` counts the windows that the last audit found different, by kind; `without_window` the rows whose
    window column is NULL, None if they were not counted. `rows_before` is the least value of the window's column before
    `origin`, as PostgreSQL writes it, None if the source has no such rows: no audit covers them.
    """

    job: JobName
    at: Instant
    origin: str | None = None
    verified_through: str | None = None
    verified: tuple[Span, ...] = ()
    counted: tuple[Span, ...] = ()
    next: str | None = None
    drift: Annotated[dict[str, int], Field(default_factory=dict)]
    without_window: int | None = None
    rows_before: str | None = None

    @property
    def head(self) -> dict[str, str]:
        """What a listing of records shows of it."""
        known = {"verified_through": self.verified_through, "rows_before": self.rows_before, "origin": self.origin}
        return {"at": self.at.isoformat(), **{key: value for key, value in known.items() if value is not None}}


class DrillRecord(Model):
    """The last drill that proved windows of a job restorable: `_tailrace/drills/<job>.json`.

    `newest` is the start of the newest of its windows; `rows` are those of all. `source` counts the windows by how they
    compared with the source: same, changed, gone, not compared.
    """

    job: JobName
    at: Instant
    windows: Annotated[int, Field(ge=1)]
    rows: int
    newest: str
    source: Annotated[dict[str, int], Field(default_factory=dict)]

    @property
    def head(self) -> dict[str, str]:
        """What a listing of records shows of it."""
        return {"at": self.at.isoformat()}
