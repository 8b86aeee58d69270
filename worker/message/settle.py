"""Carries a settlement out in the only order that loses no request."""

from datetime import timedelta
from typing import Protocol, assert_never

from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement


class Settler(Protocol):
    """What a host can do with the message that it delivered."""

    def complete(self) -> None:
        """The message is done."""

    def abandon(self) -> None:
        """The message goes back to the queue at once."""

    def dead_letter(self, reason: str, description: str) -> None:
        """The message goes to the dead-letter queue."""

    def schedule_clone(self, delay: timedelta, attempt: int, *, restarts_wait: bool) -> None:
        """A copy that carries `attempt` is enqueued `delay` from now; it has not waited yet if `restarts_wait`."""


def settle(settler: Settler, settlement: Settlement, attempt: int) -> None:
    """Settles the message whose delivery was `attempt`.

    The clone is scheduled before the message is completed: a crash in between repeats a request and never loses one.
    """
    match settlement:
        case Complete():
            settler.complete()
        case RetryLater(delay, costs_attempt=costs_attempt, restarts_wait=restarts_wait):
            settler.schedule_clone(delay, attempt + costs_attempt, restarts_wait=restarts_wait)
            settler.complete()
        case Abandon():
            settler.abandon()
        case DeadLetter(reason, description):
            settler.dead_letter(reason, description)
        case _:
            assert_never(settlement)
