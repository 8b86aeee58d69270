"""Carries a settlement out in the only order that loses no request."""

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

    def schedule_clone(self, retry: RetryLater) -> None:
        """A copy for the next attempt is enqueued `retry.delay` from now."""


def settle(settler: Settler, settlement: Settlement) -> None:
    """Settles the message of the settler.

    The clone is scheduled before the message is completed: a crash in between repeats a request and never loses one.
    """
    match settlement:
        case Complete():
            settler.complete()
        case RetryLater():
            settler.schedule_clone(settlement)
            settler.complete()
        case Abandon():
            settler.abandon()
        case DeadLetter(reason, description):
            settler.dead_letter(reason, description)
        case _:
            assert_never(settlement)
