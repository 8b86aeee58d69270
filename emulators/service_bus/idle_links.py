"""The links of a connection that are idle for so long that Azure would detach them."""

from collections.abc import Iterator

from emulators.service_bus.amqp.link import Link
from emulators.service_bus.links import End
from emulators.service_bus.monotonic import now_ms
from emulators.service_bus.subscription import Subscription
from emulators.service_bus.timers import Timers


class IdleLinks:
    """Links to queues, each with the time at which it is idle for `limit_ms`; without times if that is 0."""

    def __init__(self, limit_ms: int) -> None:
        self.reason = f"The link was idle for {limit_ms} ms and is detached by the broker."
        self._limit_ms = limit_ms
        self._timers = Timers[Link]()
        self._ends: dict[Link, End] = {}
        self._fed: dict[Link, int] = {}

    @property
    def next_due(self) -> int | None:
        """The time of the next call of `due`, in ms of the monotonic clock."""
        return self._timers.next_due

    def watch(self, link: Link, end: End) -> None:
        """Watch a link from now on."""
        if self._limit_ms:
            self._ends[link] = end
            self.used(link)

    def used(self, link: Link) -> None:
        """Note that the client used a link."""
        if link in self._ends:
            self._timers.set(link, now_ms() + self._limit_ms)

    def forget(self, link: Link) -> None:
        """Forget a link that has ended."""
        self._timers.drop(link)
        self._ends.pop(link, None)
        self._fed.pop(link, None)

    def due(self, now: int) -> Iterator[Link]:
        """Return the idle links, without those on which the broker has sent messages since the last call."""
        for link in list(self._timers.due(now)):
            end = self._ends[link]
            fed = end.fed if isinstance(end, Subscription) else 0
            if fed != self._fed.get(link, 0):
                self._fed[link] = fed
                self.used(link)
            else:
                yield link
