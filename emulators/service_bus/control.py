"""Controls of a running broker, for tests and the admin port: queues, counts, purging, and faults."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

from emulators.service_bus.config import QueueConfig, QueueProperties
from emulators.service_bus.faults import Fault
from emulators.service_bus.nodes import Conflict, Entity, UnknownNode
from emulators.service_bus.peer import Peer
from emulators.service_bus.queue import Queue
from emulators.service_bus.server import Server, wall_clock
from emulators.service_bus.stored import State

__all__ = ["Conflict", "Control", "Counts", "Description", "Fault", "UnknownNode"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages a queue has in each state; `active` ones can be received now.

    size: bytes of all messages but the dead letters.
    """

    active: int = 0
    locked: int = 0
    scheduled: int = 0
    deferred: int = 0
    dead_letters: int = 0
    size: int = 0

    @property
    def total(self) -> int:
        """All messages, dead letters included."""
        return self.active + self.locked + self.scheduled + self.deferred + self.dead_letters


@dataclass(frozen=True, slots=True)
class Description:
    """A queue with its properties and counts. Times are ms since 1970, UTC."""

    name: str
    properties: QueueProperties
    counts: Counts
    created_ms: int
    updated_ms: int


class Control:
    """Acts on a broker that runs in another thread. Names of queues are taken in any case."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def create_queue(self, name: str, properties: QueueProperties) -> Description:
        """Make a queue. Raises Conflict, UnknownNode for an unknown target of forwarding, ValueError for a bad name."""
        config = QueueConfig(Name=name, Properties=properties)
        return self._call(lambda: _described(self._server.nodes.create(config, wall_clock())))

    def update_queue(self, name: str, properties: QueueProperties) -> Description:
        """Change a queue. Raises UnknownNode, Conflict."""
        return self._call(lambda: _described(self._server.nodes.update(name, properties, wall_clock())))

    def delete_queue(self, name: str) -> None:
        """Delete a queue with its messages; links to it end. Raises UnknownNode, Conflict if another forwards to it."""
        self._call(partial(self._delete, name))

    def queue(self, name: str) -> Description:
        """Describe a queue. Raises UnknownNode."""
        return self._call(lambda: _described(self._server.nodes.entity(name)))

    def queues(self) -> list[Description]:
        """Describe all queues, in the order in which they were made."""
        return self._call(lambda: [_described(entity) for entity in self._server.nodes.entities])

    def purge(self, name: str) -> int:
        """Drop every message of a queue and its dead letters. Returns their number. Raises UnknownNode."""
        return self._of_both(name, lambda queue: queue.purge(wall_clock()))

    def expire_locks(self, name: str) -> int:
        """End every lock of a queue, its sessions and its dead letters. Returns their number. Raises UnknownNode."""
        return self._of_both(name, lambda queue: queue.expire_locks(wall_clock()))

    def fail_settlements(self, name: str, fault: Fault, *, times: int = 1, delay_ms: int = 0) -> None:
        """Plan faults for the next settlements on links of a queue. Raises UnknownNode."""
        self._call(lambda: self._server.faults.plan(
            self._server.nodes.entity(name).queue.name, fault, times=times, delay_ms=delay_ms
        ))  # fmt: skip

    def clear_faults(self) -> None:
        """Forget all planned faults."""
        self._call(self._server.faults.clear)

    def detach_links(self, name: str | None = None) -> int:
        """Detach the links to a queue, or to all, as if they were idle. Returns their number. Raises UnknownNode."""
        return self._call(partial(self._detach, name))

    def drop_connections(self) -> int:
        """Close every connection without an AMQP close. Returns their number."""
        return self._call(lambda: sum(map(_drop, self._server.peers)))

    def _call[Result](self, action: Callable[[], Result]) -> Result:
        return self._server.call(action)

    def _of_both(self, name: str, action: Callable[[Queue], int]) -> int:
        def of_both() -> int:
            entity = self._server.nodes.entity(name)
            return action(entity.queue) + action(entity.dead_letters)

        return self._call(of_both)

    def _delete(self, name: str) -> None:
        entity = self._server.nodes.delete(name)
        description = f"The messaging entity '{entity.name}' was deleted."
        self._end_links([entity.queue, entity.dead_letters], "amqp:not-found", description)

    def _detach(self, name: str | None) -> int:
        entity = None if name is None else self._server.nodes.entity(name)
        queues: Sequence[Queue | None] = [None] if entity is None else [entity.queue, entity.dead_letters]
        return self._end_links(queues, "amqp:link:detach-forced", "The link is detached as if it were idle.")

    def _end_links(self, queues: Sequence[Queue | None], condition: str, description: str) -> int:
        found = [(peer, link) for peer in self._server.peers for queue in queues for link in peer.links(queue)]
        for peer, link in found:
            peer.detach(link, condition, description)
        return len(found)


def _drop(peer: Peer) -> int:
    peer.closed = True
    return 1


def _described(entity: Entity) -> Description:
    counts = replace(_counts(entity.queue), dead_letters=_counts(entity.dead_letters).total)
    return Description(entity.name, entity.properties, counts, entity.created_ms, entity.updated_ms)


def _counts(queue: Queue) -> Counts:
    found = asdict(Counts())
    for message in queue.peek(0, wall_clock()):
        found["size"] += message.size
        found["locked" if message.lock is not None else _FIELDS[message.state]] += 1
    return Counts(**found)


_FIELDS = {State.ACTIVE: "active", State.SCHEDULED: "scheduled", State.DEFERRED: "deferred"}
