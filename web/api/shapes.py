"""The JSON of what is looked at; windows and receipts are contracts. Times are ISO 8601 with a zone."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.model import Model
from contracts.receipt import Receipt

type Bound = Annotated[str, Field(max_length=64, description="a day, a time in the job's zone, or a whole number")]


class Fault(Model):
    """Why a call was refused: what failed and why, and what to do next if anything helps."""

    error: str
    advice: str | None = None


class Grid(Model):
    """The windows of a job: `count` units of time, or `count` numbers."""

    column: str
    unit: Literal["minute", "hour", "day", "week", "month", "number"]
    count: int
    timezone: str | None = None


class JobStatus(Model):
    """One job at a glance. `lag_seconds`: since the end of the oldest window that is due and lacks its blob.

    `rows_before`: the least value of rows that are older than all windows that audits cover.
    """

    job: str
    source: str
    schedule: str | None
    grid: Grid | None
    is_scheduled: bool
    well: bool
    counts: dict[str, int]
    proven: int
    lag_seconds: int
    last_window: str | None
    last_exported_at: datetime | None
    verified_through: str | None
    rows_before: str | None
    last_audit_at: datetime | None
    last_proven_restorable: datetime | None


class Disabled(Model):
    """A job that jobs.toml describes wrongly."""

    job: str
    problems: list[str]


class QueueCounts(Model):
    """Messages seen on the queue: `live` wait, run or are put off; `dead` are requests with a dead letter."""

    live: int
    retrying: int
    dead: int


class Status(Model):
    """All jobs at a glance, as seen at `at`. `notes` say what could not be seen."""

    at: datetime
    well: bool
    notes: list[str]
    disabled: list[Disabled]
    queue: QueueCounts
    jobs: list[JobStatus]


class JobCoverage(Model):
    """The windows of a job with their states, oldest first, as short as many windows need it.

    `first` is the start of the first window; `steps` are the distances between starts, each with how often it follows:
    seconds on the wall clock of the job's zone, seconds of UTC for runs, or numbers. `ranges` are neighbours of one
    state and reason: the index of the state, the index of the reason or -1, how many.
    """

    job: str
    kind: Literal["time", "number", "run"]
    windows: int
    first: int | None
    steps: list[tuple[int, int]]
    states: list[str]
    reasons: list[str]
    ranges: list[tuple[int, int, int]]


class Coverage(Model):
    """The coverage of one job or of all, as seen at `at`."""

    at: datetime
    jobs: list[JobCoverage]


class RunningExport(Model):
    """An export that reads now. `estimated_rows` is the planner's estimate."""

    request_id: str
    job: str
    window: str | None
    rows: int
    bytes: int
    seconds: float
    estimated_rows: int | None
    seconds_left: float | None
    waits_for: str | None


class RunningNow(Model):
    """The exports that read now, the oldest first; `note` says why they could not be seen."""

    at: datetime
    note: str | None
    exports: list[RunningExport]


class BlobFacts(Model):
    """A blob as it is in the container."""

    name: str
    url: str
    size: int


class Shown(Model):
    """All that is known of one window. `attempt` is that of its live message, `dead_letter` its sequence number."""

    at: datetime
    job: str
    window: str
    end: str
    state: str
    proven: bool
    why: str | None
    advice: str | None
    retry_at: datetime | None
    request_id: str
    attempt: int | None
    dead_letter: int | None
    dead_since: datetime | None
    running: RunningExport | None
    blob_name: str
    blob: BlobFacts | None
    receipt: Receipt | None


class Letter(Model):
    """One dead letter. `stale`: its blob exists by now."""

    sequence_number: int
    job: str | None
    window: str | None
    blob: str | None
    description: str | None
    attempt: int
    enqueued_at: datetime | None
    stale: bool


class LetterGroup(Model):
    """The dead letters of one reason. `letters` are the oldest; `numbers` are all of them."""

    reason: str
    permanent: bool
    advice: str
    count: int
    stale: int
    numbers: list[int]
    letters: list[Letter]


class DeadLetters(Model):
    """The dead letters by reason, the most frequent first. `whole` is False if there are more than were read."""

    at: datetime
    count: int
    whole: bool
    groups: list[LetterGroup]
