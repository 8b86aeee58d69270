"""Pure: windows and their states, from the blobs, the queue and the server. There is no other record of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.ncrontab import last_fire_time
from contracts.receipt import is_proof
from contracts.request import ExportRequest
from operations.blobs import Blob
from operations.running import Running
from producer.asking import state_by
from producer.facts import Present, QueueView, Run
from producer.identity import identified
from producer.schedule import due_between, request_for_run, request_for_window
from producer.windows import GridWindow

# there: its blob exists. running: a session reads it. waiting: its message is on the queue. retrying: its message is
# put off. dead: it is a dead letter. due: it became due within minutes, and the next tick asks for it. missing: none of
# these. too-old: missing, and no tick asks for it: past catch_up, of a job that is not enabled, or of numbers. foreign:
# another blob has its name. not-due: it is not closed, or its delay has not passed.
type State = Literal[
    "there", "running", "waiting", "retrying", "dead", "due", "missing", "too-old", "foreign", "not-due"
]
STATES: tuple[State, ...] = (
    "there", "running", "waiting", "retrying", "dead", "due", "missing", "too-old", "foreign", "not-due",
)  # fmt: skip
# The states that a person has to do something about, or may have to.
PAUSED = "the job is paused"
WRONG: tuple[State, ...] = ("dead", "missing", "too-old", "foreign")
# For so long after a window became due its request may not be on the queue yet: ticks are minutes apart.
_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen: blobs by name, the queue, the sessions that export. What could not be seen is empty."""

    blobs: Mapping[str, Blob]
    queue: QueueView = field(default_factory=QueueView)
    running: Mapping[UUID, Running] = field(default_factory=dict)


@dataclass(slots=True)  # not frozen: there are many, and that doubles what making one costs
class Cell:
    """One window of a job, or one run of a job without windows, and its state.

    `why` is the reason of a dead letter, of a retry, or of what a person should know; `when` is when a retry is due.
    """

    job: ExportJob
    window: GridWindow | None
    run: datetime
    name: str
    id: int  # a UUID made of it costs as much as half of all else
    state: State
    blob: Blob | None = None
    why: str | None = None
    when: datetime | None = None
    running: Running | None = None

    @property
    def request_id(self) -> UUID:
        """The id of the request that asks for it."""
        return UUID(int=self.id)

    @property
    def start(self) -> str:
        """The window's start as `--from` takes it; of a run, its time."""
        return written(self.window.start if self.window else self.run)

    @property
    def end(self) -> str:
        """The window's end; of a run, its time."""
        return written(self.window.end if self.window else self.run)

    @property
    def request(self) -> ExportRequest:
        """The request that asks for it."""
        return (
            request_for_window(self.job, self.window, self.run) if self.window else request_for_run(self.job, self.run)
        )

    @property
    def is_proven(self) -> bool:
        """Whether its blob's receipt says that the window was proven closed."""
        return self.state == "there" and self.blob is not None and is_proof(self.blob.metadata.get("closed"))


def written(bound: object) -> str:
    """A bound as short as `--from` takes it: a day, a time of the job's zone, or a number.

    >>> written(datetime(2026, 1, 31, 13)), written(datetime(2026, 1, 31)), written(7)
    ('2026-01-31T13:00', '2026-01-31', '7')
    """
    if not isinstance(bound, datetime):
        return str(bound)
    if bound.second or bound.microsecond:
        return bound.isoformat(timespec="seconds")
    return bound.strftime("%Y-%m-%dT%H:%M" if bound.hour or bound.minute else "%Y-%m-%d")


def cover(job: ExportJob, windows: Iterable[GridWindow], evidence: Evidence, now: datetime) -> Iterator[Cell]:
    """The state of each window, in their order."""
    grid, nothing = job.window, timedelta(0)
    delay, catch_up = (grid.delay, grid.catch_up) if isinstance(grid, TimeGrid) else (nothing, nothing)
    opened, closed = due_between(catch_up, job.schedule, now)
    recent = now - _GRACE
    running = {id_.int: one for id_, one in evidence.running.items()}
    for window, name, id_ in identified(job, windows):
        cell = Cell(job, window, window.closed_at or now, name, id_, "there", evidence.blobs.get(name))
        _find_out(cell, evidence.queue, running.get(id_))
        if cell.state == "missing" and window.closed_at is None:
            cell.state, cell.why = "too-old", "windows of numbers have no time at which they are due"
        elif cell.state == "missing" and window.closed_at is not None:
            ready = window.closed_at + delay
            if ready > closed:
                cell.state = "not-due"
            elif ready <= opened or not job.enabled:
                cell.state, cell.why = "too-old", "it is past catch_up" if job.enabled else "the job is not enabled"
            elif (ready if job.schedule is None else closed) > recent:
                cell.state = "due"
        yield _noted(cell, evidence)


def cover_runs(job: ExportJob, evidence: Evidence, now: datetime) -> Iterator[Cell]:
    """The runs of a job without windows that have a blob, are on the queue or dead, and the latest that is due.

    Oldest first. A dead run counts until a later one has a blob.
    """
    seen: dict[UUID, Cell] = {}
    for blob in evidence.blobs.values():
        receipt = blob.receipt
        if receipt and receipt.job == job.name and receipt.window is None:
            seen[receipt.request_id] = Cell(job, None, receipt.run, blob.name, receipt.request_id.int, "there", blob)
    newest = max((cell.run for cell in seen.values()), default=datetime.min.replace(tzinfo=UTC))
    for id_, asked in _asked_runs(job, evidence.queue, now).items():
        if id_ in seen:
            continue
        cell = Cell(job, None, asked.at, asked.blob, id_.int, "missing", evidence.blobs.get(asked.blob))
        _find_out(cell, evidence.queue, evidence.running.get(id_))
        if cell.state != "dead" or asked.at > newest:
            seen[id_] = _noted(cell, evidence)
    yield from sorted(seen.values(), key=lambda cell: cell.run)


def _asked_runs(job: ExportJob, queue: QueueView, now: datetime) -> dict[UUID, Run]:
    """Those that the queue knows, and the latest that is due."""
    runs = {id_: run for id_, run in queue.runs.items() if run.job == job.name}
    if job.schedule is not None:
        latest = request_for_run(job, last_fire_time(job.schedule, now))
        runs[latest.request_id] = Run(job.name, latest.run, latest.blob)
    return runs


def _noted(cell: Cell, evidence: Evidence) -> Cell:
    """With the pause of its job as the reason why nobody asks for it."""
    if cell.state in {"missing", "due"} and cell.job.name in evidence.queue.orders.paused:
        cell.why = PAUSED
    return cell


def _find_out(cell: Cell, queue: QueueView, running: Running | None) -> None:
    """Sets the state of a cell by its blob, the queue, and the session that reads it."""
    if running:
        cell.state, cell.running = "running", running
        return
    if cell.blob and _names(cell.blob, cell.id):
        cell.state = "there"
        return
    cell.state, cell.why, cell.when = _on_queue(queue, cell.request_id)
    match state_by(Present.of(cell.blob.metadata), cell.request_id, cell.job, cell.run) if cell.blob else None:
        case "there":
            cell.state, cell.why, cell.when = "there", None, None
        case "foreign" if cell.state == "missing":
            cell.state, cell.why = "foreign", _written_by(cell.job, cell.blob)


def _names(blob: Blob, id_: int) -> bool:
    """Whether a blob's receipt is of the request of this number."""
    try:
        return int(blob.metadata["request_id"].replace("-", ""), 16) == id_
    except (KeyError, ValueError):
        return False


def _written_by(job: ExportJob, blob: Blob | None) -> str:
    """Who wrote the blob that has a window's name."""
    receipt = blob.receipt if blob else None
    if receipt is None:
        return "a blob without a receipt has this name"
    if receipt.job != job.name:
        return f"a blob of job {receipt.job} has this name"
    when = receipt.window.bounds()[0] if receipt.window else receipt.run
    other = "" if receipt.revision == job.revision else f", revision {receipt.revision}"
    return f"the export of {written(when)}{other} has this name"


def _on_queue(queue: QueueView, id_: UUID) -> tuple[State, str | None, datetime | None]:
    """What the queue and the dead letters say of a request."""
    if live := queue.live.get(id_):
        return "retrying" if live.is_put_off else "waiting", live.why, live.scheduled_for
    if dead := queue.dead.get(id_):
        return "dead", ": ".join(filter(None, (dead.reason, dead.description))), None
    return "missing", None, None
