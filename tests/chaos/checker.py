"""Proves from outside what became of each request: blobs against the source, queue, dead letters, sessions, commits."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage
from chaos.contents import content, receipt
from chaos.load import Ask, Dead, Superseded, Whole
from chaos.world import FOREIGN, World

from contracts.message import request_id_of

# By which a worker's memory may grow: once it is warm, and before. The first Parquet export alone imports 45 MB.
_ROOM_MB, _ROOM_TO_WARM_UP_MB = 10.0, 80.0
_WARM, _FEWEST = 1_200, 80  # samples: 5 minutes, 20 s
_LAST = 8  # samples: the queue is empty then


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: its kind, on what, and what was seen."""

    kind: str
    subject: str
    says: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen from outside: dead letters and live messages by request, blobs and their metadata."""

    live: Mapping[str, int]
    dead: Mapping[str, list[tuple[str, str]]]
    blobs: Mapping[str, dict[str, str]]
    uncommitted: tuple[str, ...]

    @classmethod
    def of(cls, world: World) -> "Seen":
        """The queue first, then dead letters, then blobs: what moves meanwhile is seen twice rather than never."""
        live = Counter(key_of(one) for one in world.messages())
        dead: dict[str, list[tuple[str, str]]] = {}
        for one in world.dead_letters():
            said = (str(one.dead_letter_reason or ""), str(one.dead_letter_error_description or ""))
            dead.setdefault(key_of(one), []).append(said)
        listed = list(world.container.list_blobs(include=["metadata", "uncommittedblobs"]))
        committed = {blob.name: dict(blob.metadata or {}) for blob in listed if blob.etag and blob.size is not None}
        uncommitted = tuple(
            blob.name for blob in listed if not blob.content_settings.content_type and not blob.metadata
        )
        return cls(live, dead, {name: m for name, m in committed.items() if name not in uncommitted}, uncommitted)


def key_of(message: ServiceBusReceivedMessage) -> str:
    """The request's id, or else the message's."""
    return str(request_id_of(message.message_id, message.body) or message.message_id)


def safety(world: World, seen: Seen | None = None) -> list[Finding]:
    """What must never be, whatever goes wrong: a wrong blob or dead letter, a lost request, a second commit."""
    seen = seen or Seen.of(world)
    wanted = _Wanted(world.asks)
    found = [Finding(kind, "", says) for kind, says in world.noticed]
    for ask in world.asks:
        found += _lost(ask, seen)
        found += _dead(ask, seen, most=2 if world.has_host else 1)
    for name in seen.blobs:
        found += _blob(world, name, wanted)
    return [*found, *_commits(world, wanted), *_logs(world)]


def liveness(world: World, seen: Seen) -> list[Finding]:
    """What must be there once faults have ended: every blob or dead letter, and nothing on the queue or left open."""
    found = []
    for ask in world.asks:
        key = _key(ask)
        if isinstance(ask.fate, Whole) and not seen.dead.get(key) and ask.fate.blob not in seen.blobs:
            found.append(Finding("no blob", ask.fate.blob, f"{ask.kind} {key} is neither a blob nor a dead letter"))
        if isinstance(ask.fate, Dead) and not seen.dead.get(key):
            found.append(Finding("no dead letter", key, f"{ask.kind} must be a dead letter {ask.fate.reason}"))
    found += [Finding("in limbo", key, f"{count} message(s) still on the queue") for key, count in seen.live.items()]
    return [*found, *_sessions(world), *_memory(world)]


def calm(world: World) -> list[Finding]:
    """What must not be if nothing went wrong: two readers of one request, a commit in vain."""
    streams: dict[str, int] = {}
    for sample in world.readers:
        for name, count in sample.items():
            streams[name] = max(streams.get(name, 0), count)
    found = []
    for ask in world.asks:
        several = ask.kind in {"twice", "replaced"} or b'"streams":2' in ask.body
        count = max((n for name, n in streams.items() if ask.request_id and str(ask.request_id) in name), default=0)
        if count > 1 and not several:
            found.append(Finding("two readers", _key(ask), f"{count} sessions exported it at once, without a fault"))
    for name, commit in world.commits:
        if commit.status != 201 and not commit.blob.startswith(("twice", "replaced")):
            found.append(Finding("commit in vain", commit.blob, f"{name} got {commit.status} without a fault"))
    return found


def is_done(world: World, seen: Seen) -> bool:
    """Whether nothing is left to wait for."""
    return not seen.live and not any(finding.kind in {"no blob", "no dead letter"} for finding in liveness(world, seen))


class _Wanted:
    """What each blob name must hold."""

    def __init__(self, asks: list[Ask]) -> None:
        self.whole = {ask.fate.blob: ask for ask in asks if isinstance(ask.fate, Whole)}
        self.older = {ask.fate.blob: ask for ask in asks if isinstance(ask.fate, Superseded)}
        self.foreign = {ask.foreign for ask in asks if ask.foreign is not None}


def _key(ask: Ask) -> str:
    return str(ask.request_id or ask.message_id)


def _lost(ask: Ask, seen: Seen) -> Iterator[Finding]:
    key = _key(ask)
    blob = None if isinstance(ask.fate, Dead) else ask.fate.blob
    if not seen.live.get(key) and not seen.dead.get(key) and blob not in seen.blobs:
        yield Finding("lost", key, f"{ask.kind}: no blob, no message, no dead letter")


def _dead(ask: Ask, seen: Seen, most: int) -> Iterator[Finding]:
    """`most`: a Functions host that lost a lock does not say so, and the message is delivered beside its clone."""
    key, letters = _key(ask), seen.dead.get(_key(ask), [])
    if not isinstance(ask.fate, Dead):
        for reason, says in letters:
            yield Finding("dead for nothing", key, f"{ask.kind} is a dead letter {reason}: {says[:120]}")
        return
    if len(letters) > most:
        yield Finding("dead twice", key, f"{len(letters)} dead letters")
    for reason, says in letters:
        if reason != ask.fate.reason or not says:
            yield Finding("wrong reason", key, f"{ask.kind}: {reason or 'no reason'}: {says[:100] or 'no word'}")


def _blob(world: World, name: str, wanted: _Wanted) -> Iterator[Finding]:
    if name in wanted.foreign:
        if world.container.download_blob(name).readall() != FOREIGN:
            yield Finding("overwritten", name, "it was somebody else's")
        return
    ask = wanted.whole.get(name)
    if ask is None:
        yield Finding("unasked blob", name, "nobody asked for a blob of this name")
        return
    try:
        download = world.container.download_blob(name)
        data, metadata = download.readall(), dict(download.properties.metadata or {})
    except AzureError as error:
        yield Finding("unreadable", name, str(error)[:100])
        return
    older = wanted.older.get(name)
    if older is not None and metadata.get("request_id") == str(older.request_id):
        if _is_settled(world, ask):
            yield Finding("older run won", name, "the newer request is done, and the blob is the older one's")
        return
    assert isinstance(ask.fate, Whole)
    yield from (Finding(kind, name, says) for kind, says in content(world, ask, ask.fate, data))
    yield from (Finding("wrong receipt", name, says) for says in receipt(ask, ask.fate, data, metadata))


def _is_settled(world: World, ask: Ask) -> bool:
    return all(key_of(one) != str(ask.request_id) for one in world.messages())


def _commits(world: World, wanted: _Wanted) -> Iterator[Finding]:
    done = Counter(commit.blob for _, commit in world.commits if commit.status == 201)
    for blob, count in done.items():
        ask = wanted.whole.get(blob)
        allowed = ask.fate.commits if ask is not None and isinstance(ask.fate, Whole) else 0
        if count > allowed:
            yield Finding("published again", blob, f"{count} commits of this name took effect, {allowed} may")


def _logs(world: World) -> Iterator[Finding]:
    for file in sorted(world.directory.glob("*.log")):
        lines = file.read_text("utf-8", "replace").splitlines()
        for number, line in enumerate(lines):
            if "a fault of Tailrace itself" in line:
                last = next((said for said in lines[number + 1 :] if said and not said[0].isspace()), "")
                trace = [said for said in lines[number + 1 : number + 80] if "Error" in said[:60]]
                yield Finding("unclassified error", file.stem, (trace[-1] if trace else last)[:120])


def _sessions(world: World) -> Iterator[Finding]:
    """Sessions that are in a transaction though no request is left; one that is just ending gets some seconds."""
    deadline = time.monotonic() + 10
    while open_ones := _open_sessions(world):
        if time.monotonic() > deadline:
            for pid, name, state in open_ones:
                yield Finding("session left", str(pid), f"{name} is {state}")
            return
        time.sleep(0.2)


def _open_sessions(world: World) -> list[tuple[int, str, str]]:
    query = """select pid, application_name, state from pg_stat_activity
        where usename = 'exporter' and state like '%transaction%' or (usename = 'exporter' and state = 'active')"""
    try:
        with world.servers.postgres_lock, world.servers.admin() as connection:
            return [(int(pid), str(name), str(state)) for pid, name, state in connection.execute(query).fetchall()]
    except psycopg.OperationalError:
        return []


def growths(world: World) -> dict[str, float]:
    """By which each worker has grown, in MB, once nothing is left to do; not of those that were ended before."""
    live = (f"{worker.name}-{worker.generation}" for worker in world.workers)
    return {key: growth_of(world.memory[key]) for key in live if key in world.memory}


def growth_of(sizes: list[float]) -> float:
    """MB from the least of the second third of the samples to the least of the last seconds; 0 for too few samples.

    What exports hold while they run comes and goes, and is bounded by their number: what stays is the floor.

    >>> busy = [float(50 + n % 30) for n in range(110)]
    >>> growth_of([*busy, *[50.0] * 10]), growth_of([float(50 + n) for n in range(120)])
    (0.0, 72.0)
    """
    if len(sizes) < _FEWEST:
        return 0.0
    third = len(sizes) // 3
    return round(min(sizes[-_LAST:]) - min(sizes[third:-third]), 1)


def _memory(world: World) -> Iterator[Finding]:
    for key, growth in growths(world).items():
        if growth > (_ROOM_MB if len(world.memory[key]) > _WARM else _ROOM_TO_WARM_UP_MB):
            yield Finding("memory", key, f"grew by {growth} MB since a third of its life")
