"""Carries a settlement out, in the one order in which no request can be lost."""

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

    def schedule_clone(self, delay: timedelta) -> None:
        """A copy with the next attempt's number is enqueued `delay` from now."""


def settle(settler: Settler, settlement: Settlement) -> None:
    """Settles one message. Clone first, complete then: a crash in between repeats a request, and never loses one."""
    match settlement:
        case Complete():
            settler.complete()
        case RetryLater(delay):
            settler.schedule_clone(delay)
            settler.complete()
        case Abandon():
            settler.abandon()
        case DeadLetter(reason, description):
            settler.dead_letter(reason, description)
        case _:
            assert_never(settlement)
