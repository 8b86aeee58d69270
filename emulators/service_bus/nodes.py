"""Addresses → queues: `[amqp[s]://host[:port]/]queue[/$DeadLetterQueue][/$management]`, in any case."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from emulators.service_bus.config import QueueConfig, QueueProperties
from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import Rules
from emulators.service_bus.session_queue import SessionQueue

CBS = "$cbs"
_MANAGEMENT, _DEAD_LETTERS, _SUBSCRIPTIONS = "/$management", "/$deadletterqueue", "/subscriptions/"
_HOST = re.compile(r"^[a-z]+://[^/]*/?")


class UnknownNode(LookupError):  # noqa: N818
    """No queue has this address."""


class NotOffered(UnknownNode):
    """The address is of something that Azure offers and this broker does not."""


class Conflict(ValueError):  # noqa: N818
    """A queue cannot be made, changed or deleted because of its state or of other queues."""


@dataclass(frozen=True, slots=True)
class Node:
    """A queue, or the management of one."""

    queue: Queue
    management: bool = False


@dataclass(slots=True)
class Entity:
    """A queue with its dead-letter queue and what it was made with. Times are ms since 1970, UTC."""

    name: str
    properties: QueueProperties
    queue: Queue
    dead_letters: Queue
    created_ms: int = 0
    updated_ms: int = 0


class Nodes:
    """Every queue of the namespace, each with its dead-letter queue. `on_new` is called with each new queue."""

    def __init__(self, queues: Iterable[QueueConfig] = (), *, now: int = 0) -> None:
        self.on_new: Callable[[Queue], None] = lambda _queue: None
        self._entities: dict[str, Entity] = {}
        configs = list(queues)
        for config in configs:
            self._entities[config.Name.lower()] = _entity(config, now)
        for config in configs:
            self._forward(self._entities[config.Name.lower()])

    @property
    def entities(self) -> Iterable[Entity]:
        """All queues, in the order in which they were made."""
        return self._entities.values()

    @property
    def queues(self) -> Iterable[Queue]:
        """All queues, dead-letter queues included."""
        return [queue for entity in self._entities.values() for queue in (entity.queue, entity.dead_letters)]

    def create(self, config: QueueConfig, now: int) -> Entity:
        """Make a queue. Raises Conflict if the name is taken, UnknownNode if it forwards to an unknown queue."""
        key = config.Name.lower()
        if key in self._entities:
            raise Conflict(f"there is a queue {config.Name!r} already")
        entity = _entity(config, now)
        self._forward(entity)
        self._entities[key] = entity
        for queue in (entity.queue, entity.dead_letters):
            self.on_new(queue)
        return entity

    def update(self, name: str, properties: QueueProperties, now: int) -> Entity:
        """Change a queue. Raises UnknownNode, and Conflict for a property that is fixed at creation."""
        entity = self.entity(name)
        for fixed in ("RequiresSession", "RequiresDuplicateDetection"):
            if getattr(entity.properties, fixed) != getattr(properties, fixed):
                raise Conflict(f"{fixed} of a queue cannot be changed")
        self._targets(properties)
        entity.properties, entity.updated_ms = properties, now
        rules = Rules.of(properties)
        entity.queue.change_rules(rules)
        entity.dead_letters.change_rules(rules.of_dead_letters())
        self._forward(entity)
        return entity

    def delete(self, name: str) -> Entity:
        """Forget a queue and its messages. Raises UnknownNode, and Conflict if another one forwards to it."""
        gone = self.entity(name)
        for other in self._entities.values():
            if gone.queue in (other.queue.forward_to, other.queue.forward_dead_letters_to):
                raise Conflict(f"{other.name} forwards to {gone.name}")
        return self._entities.pop(name.lower())

    def entity(self, name: str) -> Entity:
        """Find the queue of that name. Raises UnknownNode."""
        entity = self._entities.get(name.lower())
        if entity is None:
            raise UnknownNode(f"The messaging entity '{name}' could not be found. {self._known()}")
        return entity

    def find(self, address: str) -> Node:
        """Find the node at an address. Raises UnknownNode or NotOffered; the message is for whoever mistyped it."""
        path = node_path(address)
        if _SUBSCRIPTIONS in path:
            raise NotOffered(
                f"'{_HOST.sub('', address)}' is a subscription: this broker offers queues only, no topics."
            )
        name = path.removesuffix(_MANAGEMENT)
        entity = self._entities.get(name.removesuffix(_DEAD_LETTERS))
        if entity is None:
            raise UnknownNode(f"The messaging entity '{_HOST.sub('', address)}' could not be found. {self._known()}")
        queue = entity.dead_letters if name.endswith(_DEAD_LETTERS) else entity.queue
        return Node(queue, path.endswith(_MANAGEMENT))

    def _known(self) -> str:
        names = sorted(entity.name for entity in self._entities.values())
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"There are no topics here, and these queues: {', '.join(names[:5]) or 'none'}{more}."

    def _targets(self, properties: QueueProperties) -> tuple[Queue | None, Queue | None]:
        names = properties.ForwardTo, properties.ForwardDeadLetteredMessagesTo
        first, second = (self.entity(name).queue if name else None for name in names)
        return first, second

    def _forward(self, entity: Entity) -> None:
        entity.queue.forward_to, entity.queue.forward_dead_letters_to = self._targets(entity.properties)


def _entity(config: QueueConfig, now: int) -> Entity:
    rules = Rules.of(config.Properties)
    dead_letters = Queue(f"{config.Name}/$DeadLetterQueue", rules.of_dead_letters())
    kind = SessionQueue if config.Properties.RequiresSession else Queue
    return Entity(config.Name, config.Properties, kind(config.Name, rules, dead_letters), dead_letters, now, now)


def node_path(address: str) -> str:
    """Return the part of an address that names the node.

    >>> node_path("amqps://127.0.0.1:5672/Exports/$DeadLetterQueue")
    'exports/$deadletterqueue'
    """
    return _HOST.sub("", address.lower()).strip("/")
