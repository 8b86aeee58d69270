"""The order of a settlement's steps, on a settler that only keeps a list."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from contracts.errors import QueueUnavailable
from worker.message.settle import settle
from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement


@dataclass
class Listing:
    """Keeps what it was asked to do; fails at a given step."""

    failing: str = ""
    steps: list[object] = field(default_factory=list)

    def complete(self) -> None:
        self._step("complete")

    def abandon(self) -> None:
        self._step("abandon")

    def dead_letter(self, reason: str, description: str) -> None:
        self._step("dead_letter", reason, description)

    def schedule_clone(self, delay: timedelta, attempt: int, *, restarts_wait: bool) -> None:
        self._step("clone", delay, attempt, *(["anew"] if restarts_wait else []))

    def _step(self, name: str, *details: object) -> None:
        if name == self.failing:
            raise QueueUnavailable("gone")
        self.steps.append((name, *details))


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("settlement", "steps"),
    [
        (Complete("exported"), [("complete",)]),
        (RetryLater(MINUTE, "r", "d"), [("clone", MINUTE, 4), ("complete",)]),
        (RetryLater(MINUTE, "r", "d", costs_attempt=False), [("clone", MINUTE, 3), ("complete",)]),
        (
            RetryLater(MINUTE, "r", "d", costs_attempt=False, restarts_wait=True),
            [("clone", MINUTE, 3, "anew"), ("complete",)],
        ),
        (Abandon("r"), [("abandon",)]),
        (DeadLetter("r", "d"), [("dead_letter", "r", "d")]),
    ],
)
def test_each_settlement_is_carried_out_by_its_steps_in_order(settlement: Settlement, steps: list[object]) -> None:
    settler = Listing()
    settle(settler, settlement, attempt=3)
    assert settler.steps == steps


def test_a_message_whose_clone_was_not_taken_is_not_completed() -> None:
    """Else the request would be nowhere."""
    settler = Listing(failing="clone")
    with pytest.raises(QueueUnavailable):
        settle(settler, RetryLater(MINUTE, "r", "d"), attempt=3)
    assert settler.steps == []


def test_a_clone_is_there_before_completing_can_fail() -> None:
    settler = Listing(failing="complete")
    with pytest.raises(QueueUnavailable):
        settle(settler, RetryLater(MINUTE, "r", "d"), attempt=3)
    assert settler.steps == [("clone", MINUTE, 4)]
