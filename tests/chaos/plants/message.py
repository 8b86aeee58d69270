"""Planted: faults of what becomes of a message."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from chaos.plants.plant import OUTAGE, STUCK, plant


def settlements(change: Callable[[Any, Exception | None], Any]) -> None:
    """Changes what an error means for a message."""
    from worker.message import delivery

    settlement_for = delivery.settlement_for

    def changed(error: Exception, attempt: int, policy: Any, spread: float = 0.0) -> Any:
        return change(settlement_for(error, attempt, policy, spread), error)

    delivery.settlement_for = changed


@plant("dead letter instead of retry", "dead for nothing", **OUTAGE)
def _dead_instead() -> None:
    from worker.message.settlement import DeadLetter, RetryLater

    settlements(lambda it, _: DeadLetter(it.reason, it.description) if isinstance(it, RetryLater) else it)


@plant("retry instead of dead letter", *STUCK, loads=("missing", "small"))
def _retry_instead() -> None:
    from datetime import timedelta

    from worker.message.settlement import DeadLetter, RetryLater

    def changed(it: Any, _: Exception | None) -> Any:
        return RetryLater(timedelta(seconds=1), it.reason, it.description) if isinstance(it, DeadLetter) else it

    settlements(changed)


@plant("a failed export counts as done", "lost", "no blob", **OUTAGE)
def _failure_is_done() -> None:
    from worker.message import report
    from worker.message.settlement import Complete, RetryLater

    report.failed = lambda *_: None
    settlements(lambda it, _: Complete("exported") if isinstance(it, RetryLater) else it)


@plant("dead letters have no reason", "wrong reason", loads=("missing", "bad body", "small"))
def _no_reason() -> None:
    from worker.message.settlement import DeadLetter

    settlements(lambda it, _: replace(it, reason="", description="") if isinstance(it, DeadLetter) else it)


@plant("any dead letter is an unexpected error", "wrong reason", loads=("missing", "bad body", "small"))
def _one_reason() -> None:
    from worker.message.settlement import DeadLetter

    settlements(lambda it, _: replace(it, reason="UnexpectedError") if isinstance(it, DeadLetter) else it)


@plant(
    "complete before the clone", "lost", "no blob",
    faults=("PostgreSQL refuses", "broker refuses new connections"), count=24, loads=("small",), requests=60,
)  # fmt: skip
def _complete_first() -> None:
    from worker import slot
    from worker.message.settle import settle
    from worker.message.settlement import RetryLater

    def hasty(settler: Any, settlement: Any) -> None:
        if isinstance(settlement, RetryLater):
            settler.complete()
            settler.schedule_clone(settlement)
        else:
            settle(settler, settlement)

    slot.settle = hasty


@plant("no clone is scheduled", "lost", "no blob", **OUTAGE)
def _no_clone() -> None:
    from worker.message.retry import RetryQueue

    RetryQueue.schedule = lambda *_: None  # type: ignore[method-assign]


@plant("the clone has an empty body", "dead for nothing", **OUTAGE)
def _empty_clone() -> None:
    from worker.message.retry import RetryQueue

    schedule = RetryQueue.schedule
    RetryQueue.schedule = lambda self, delivery, retry: schedule(  # type: ignore[method-assign]
        self, replace(delivery, body=b"{}"), retry
    )


@plant("messages are abandoned instead of completed", "dead for nothing", *STUCK, loads=("small",))
def _never_completed() -> None:
    from worker.slot import ReceiverSettler

    ReceiverSettler.complete = ReceiverSettler.abandon  # type: ignore[method-assign]


@plant("messages are completed before their export", "lost", "no blob", faults=("worker killed",), count=8,
        loads=("slow", "long"))  # fmt: skip
def _completed_early() -> None:
    from worker.slot import Slot

    handle = Slot._handle

    def early(self: Any, receiver: Any, message: Any) -> None:
        receiver.complete_message(message)
        receiver.complete_message = lambda _: None
        handle(self, receiver, message)
        del receiver.complete_message

    Slot._handle = early  # type: ignore[method-assign]


@plant("the lock is not renewed", "two readers", "commit in vain", loads=("long",), requests=4)
def _not_renewed() -> None:
    from worker import slot

    @contextmanager
    def unheld(*_: Any) -> Iterator[None]:
        yield

    slot.held_lock = unheld
