"""Who gets the next message: receivers of one queue, one message each in turn."""

import math
from collections import deque
from collections.abc import Iterable

from local.service_bus.links import Subscription
from local.service_bus.queue import Queue


class Turns[Owner]:
    """The subscriptions of every queue, each with its owner, which is whoever has to send what it was fed."""

    def __init__(self, queues: Iterable[Queue]) -> None:
        self._waiting: dict[Queue, deque[Subscription]] = {queue: deque() for queue in queues}
        self._owners: dict[Subscription, Owner] = {}

    def join(self, subscription: Subscription, owner: Owner) -> None:
        """Take part from now on."""
        self._owners[subscription] = owner
        self._waiting[subscription.queue].append(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Take part no longer."""
        del self._owners[subscription]
        self._waiting[subscription.queue].remove(subscription)

    @property
    def next_due(self) -> float:
        """When to feed again at the latest, in ms since 1970, UTC."""
        return min((queue.next_due for queue in self._waiting), default=math.inf)

    def feed(self, now: int) -> set[Owner]:
        """Hand out what can be handed out now; whoever has something to send after it."""
        owners: set[Owner] = set()
        for queue, waiting in self._waiting.items():
            queue.advance(now)
            if waiting:
                fed = _serve(queue, waiting, now)
                fed.update(subscription for subscription in waiting if subscription.drain())
                owners.update(self._owners[subscription] for subscription in fed)
        return owners


def _serve(queue: Queue, waiting: deque[Subscription], now: int) -> set[Subscription]:
    fed: set[Subscription] = set()
    passed = 0
    while queue.ready and passed < len(waiting):
        subscription = waiting[0]
        waiting.rotate(-1)
        if subscription.hungry and subscription.feed(now):
            fed.add(subscription)
            passed = 0
        else:
            passed += 1
    return fed
