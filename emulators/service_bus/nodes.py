"""Addresses → queues: `[amqp[s]://host[:port]/]queue[/$DeadLetterQueue][/$management]`, in any case."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from emulators.service_bus.config import QueueConfig
from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import Rules

CBS = "$cbs"
_MANAGEMENT, _DEAD_LETTERS = "/$management", "/$deadletterqueue"
_HOST = re.compile(r"^[a-z]+://[^/]*/?")


class UnknownNode(LookupError):  # noqa: N818
    """An address that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Node:
    """Where a link leads: to a queue, or to the management of one."""

    queue: Queue
    management: bool = False


class Nodes:
    """Every queue of the namespace, each with its dead-letter queue."""

    def __init__(self, queues: Iterable[QueueConfig]) -> None:
        self._queues: dict[str, Queue] = {}
        for queue in queues:
            rules = Rules.of(queue.Properties)
            dead_letters = Queue(f"{queue.Name}/$DeadLetterQueue", Rules(rules.lock_ms, max_deliveries=None))
            self._queues[queue.Name.lower()] = Queue(queue.Name, rules, dead_letters)
            self._queues[queue.Name.lower() + _DEAD_LETTERS] = dead_letters

    @property
    def queues(self) -> Iterable[Queue]:
        """All queues, dead-letter queues included."""
        return self._queues.values()

    def find(self, address: str) -> Node:
        """The node at an address. Raises UnknownNode, in words for the person who mistyped it."""
        path = node_path(address)
        queue = self._queues.get(path.removesuffix(_MANAGEMENT))
        if queue is None:
            raise UnknownNode(f"The messaging entity '{_HOST.sub('', address)}' could not be found. {self._known()}")
        return Node(queue, path.endswith(_MANAGEMENT))

    def _known(self) -> str:
        names = sorted(queue.name for queue in self._queues.values() if queue.dead_letters is not None)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"Queues here: {', '.join(names[:5]) or 'none'}{more}."


def node_path(address: str) -> str:
    """What of an address names the node.

    >>> node_path("amqps://127.0.0.1:5672/Exports/$DeadLetterQueue")
    'exports/$deadletterqueue'
    """
    return _HOST.sub("", address.lower()).strip("/")
