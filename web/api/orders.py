"""The JSON of orders for exports and dead letters, and of what became of them."""

from typing import Annotated

from pydantic import Field

from contracts.model import JobName, Model
from operations.backfill import Only
from web.api.shapes import Bound


class Span(Model):
    """Windows that begin in [since, until)."""

    since: Bound
    until: Bound


class BackfillOrder(Model):
    """Windows of a job to be exported.

    only: `missing` have neither blob nor message; `failed` have a dead letter; `all` are exported again, and replace
    their blobs. `force` adds what is on the queue or dead.
    """

    job: JobName
    windows: Annotated[list[Span], Field(min_length=1, max_length=1000)]
    only: Only = "missing"
    force: bool = False
    dry_run: bool = False


class BackfillDone(Model):
    """What was found in the windows, by state, and how many requests were sent, or would be.

    `id` is that of the backfill, if anything was sent.
    """

    job: str
    id: str | None = None
    windows: int
    found: dict[str, int]
    chosen: int
    sent: int
    first: str | None
    last: str | None


class LetterOrder(Model):
    """Which dead letters are meant: each field narrows the choice down; `all` means all of them."""

    numbers: Annotated[tuple[int, ...], Field(max_length=10_000)] = ()
    reason: Annotated[str, Field(max_length=200)] | None = None
    job: JobName | None = None
    all: bool = False
    dry_run: bool = False


class ReplayOrder(LetterOrder):
    """`as_sent` sends the stored requests, whatever jobs.toml says."""

    as_sent: bool = False


class DropOrder(LetterOrder):
    """`stale` means those whose blob exists by now."""

    stale: bool = False


class LettersDone(Model):
    """How many dead letters were chosen, and done. `refused` says why some cannot be sent.

    `left` of those chosen could not be received in time: calling again goes on.
    """

    chosen: int
    done: int
    left: int
    refused: dict[int, str]
