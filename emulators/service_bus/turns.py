"""The order of receivers: those of one queue get one message each in turn."""

from collections import deque
from collections.abc import Iterable

from emulators.service_bus.queue import Queue
from emulators.service_bus.subscription import Subscription
from emulators.service_bus.timers import Timers


class Turns[Owner]:
    """The subscriptions of every queue, each with its owner, which is whoever has to send what it was fed.

    What it costs to feed grows with the queues that have subscriptions or are due, not with all there are.
    """

    def __init__(self, queues: Iterable[Queue]) -> None:
        self._waiting: dict[Queue, deque[Subscription]] = {}
        self._owners: dict[Subscription, Owner] = {}
        self._alarms = Timers[Queue]()
        for queue in queues:
            self.watch(queue)

    def watch(self, queue: Queue) -> None:
        """Feed a queue's receivers when time changes something in it."""
        queue.on_wake = self._alarms.set

    def join(self, subscription: Subscription, owner: Owner) -> None:
        """Add a subscription."""
        self._owners[subscription] = owner
        self._waiting.setdefault(subscription.queue, deque()).append(subscription)

    def leave(self, subscription: Subscription) -> None:
        """Remove a subscription."""
        del self._owners[subscription]
        waiting = self._waiting[subscription.queue]
        waiting.remove(subscription)
        if not waiting:
            del self._waiting[subscription.queue]

    @property
    def next_due(self) -> int | None:
        """The latest time of the next call of `feed`, in ms since 1970, UTC; None if nothing waits."""
        return self._alarms.next_due

    def feed(self, now: int) -> set[Owner]:
        """Hand out messages. Returns the owners that have something to send."""
        for queue in self._alarms.due(now):
            queue.advance(now)
        owners: set[Owner] = set()
        for queue, waiting in self._waiting.items():
            fed = _serve(queue, waiting, now)
            fed.update(subscription for subscription in waiting if subscription.tend(now))
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
