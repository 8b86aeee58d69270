"""Pure: the state of each request that is asked for, from its blob, its message and its dead letter."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

from contracts.job import ExportJob
from contracts.message import NO_LINEAGE, Lineage
from contracts.reasons import is_permanent
from contracts.request import ExportRequest
from producer.facts import Dead, Present, QueueView

# there: its blob exists. foreign: another blob has its name. alive: it has a message on the queue. dead: it is a dead
# letter until something changes. postponed: it is a dead letter that is asked for again later. held: the queue is too
# long to see all of it. paused: it would be sent, but its job is paused. send: it is sent.
type State = Literal["there", "foreign", "alive", "dead", "postponed", "held", "paused", "send"]

type BlobState = Literal["there", "foreign"] | None

# After a dead letter of a transient reason: 15 minutes, then twice as long each time.
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(days=1)


class Sought(Protocol):
    """What decides about a request, made or not."""

    @property
    def request_id(self) -> UUID:
        """The request's id."""

    @property
    def job(self) -> str:
        """The name of its job."""

    @property
    def blob(self) -> str:
        """The name of its blob."""

    @property
    def run(self) -> datetime:
        """When the export was due or asked for."""

    @property
    def revision(self) -> int:
        """The revision of its job."""

    @property
    def if_exists(self) -> Literal["refuse", "replace"]:
        """What it does to another request's blob of its name."""


@dataclass(slots=True)  # not frozen: there are many, and that doubles what making one costs
class Asked[Request: Sought = ExportRequest]:
    """One request and its state. `reason` is that of its dead letter; `lineage` is what its message carries."""

    request: Request
    state: State
    reason: str | None = None
    lineage: Lineage = NO_LINEAGE


def blob_state(request: Sought, present: Mapping[str, Present]) -> BlobState:
    """What the blob of a request's name is to it; None if there is none, or if the request replaces it."""
    blob = present.get(request.blob)
    return state_by(blob, request.request_id, request, request.run) if blob else None


def state_by(blob: Present, request_id: UUID, asked: Sought | ExportJob, run: datetime) -> BlobState:
    """What a blob is to the request of an id and a run; `asked` says its revision, and whether it replaces blobs."""
    if blob.request_id == request_id:
        return "there"
    if asked.if_exists == "refuse":
        return "foreign"
    is_newer = blob.run is not None and (blob.revision or 0, blob.run) > (asked.revision, run)
    return "there" if is_newer else None


def decide[Request: Sought](
    requests: Iterable[Request],
    present: Mapping[str, Present],
    queue: QueueView,
    versions: Mapping[str, str],
    now: datetime,
) -> list[Asked[Request]]:
    """The state of each request. `versions` are today's versions of the jobs."""
    fresh = {name: Lineage(version) for name, version in versions.items()}
    return [_decided(request, present, queue, fresh.get(request.job, NO_LINEAGE), now) for request in requests]


def _decided[Request: Sought](
    request: Request, present: Mapping[str, Present], queue: QueueView, fresh: Lineage, now: datetime
) -> Asked[Request]:
    if state := blob_state(request, present):
        return Asked(request, state)
    request_id = request.request_id
    if queue.is_live(request_id):
        return Asked(request, "alive")
    dead = queue.dead.get(request_id)
    decided = _of_dead(request, dead, fresh, now) if dead else Asked(request, "send", lineage=fresh)
    if decided.state != "send":
        return decided
    if not queue.is_whole:  # its message may be among those that were not looked at, a dead letter beside it or not
        return Asked(request, "held", decided.reason)
    return replace(decided, state="paused") if request.job in queue.orders.paused else decided


def _of_dead[Request: Sought](request: Request, dead: Dead, fresh: Lineage, now: datetime) -> Asked[Request]:
    """A dead letter is asked for again if its job has changed, or if its reason may have passed by now."""
    if None not in (fresh.version, dead.lineage.version) and fresh.version != dead.lineage.version:
        return Asked(request, "send", dead.reason, fresh)
    if is_permanent(dead.reason):
        return Asked(request, "dead", dead.reason)
    if now < _healed_from(dead, now):
        return Asked(request, "postponed", dead.reason)
    return Asked(request, "send", dead.reason, Lineage(fresh.version, dead.lineage.heals + 1))


def _healed_from(dead: Dead, now: datetime) -> datetime:
    """When a dead letter of a transient reason is asked for again."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** min(dead.lineage.heals, 10), _LONGEST_PAUSE)
    return (dead.enqueued_at or now) + pause


def counts_of(asked: Iterable[Asked[Any]]) -> dict[str, int]:
    """The number of requests in each state."""
    return dict(Counter(one.state for one in asked))
