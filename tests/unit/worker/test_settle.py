"""The order of a settlement's steps, on a settler that records them."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from contracts.errors import QueueUnavailable
from worker.message.settle import settle
from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement


@dataclass
class Listing:
    """Records its steps; fails at a given one."""

    failing: str = ""
    steps: list[object] = field(default_factory=list)

    def complete(self) -> None:
        self._step("complete")

    def abandon(self) -> None:
        self._step("abandon")

    def dead_letter(self, reason: str, description: str) -> None:
        self._step("dead_letter", reason, description)

    def schedule_clone(self, retry: RetryLater) -> None:
        self._step("clone", retry)

    def _step(self, name: str, *details: object) -> None:
        if name == self.failing:
            raise QueueUnavailable("gone")
        self.steps.append((name, *details))


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("settlement", "steps"),
    [
        (Complete("exported"), [("complete",)]),
        (RetryLater(MINUTE, "r", "d"), [("clone", RetryLater(MINUTE, "r", "d")), ("complete",)]),
        (Abandon("r"), [("abandon",)]),
        (DeadLetter("r", "d"), [("dead_letter", "r", "d")]),
    ],
)
def test_each_settlement_is_carried_out_by_its_steps_in_order(settlement: Settlement, steps: list[object]) -> None:
    settler = Listing()
    settle(settler, settlement)
    assert settler.steps == steps


def test_a_message_whose_clone_was_not_taken_is_not_completed() -> None:
    """Else the request would be nowhere."""
    settler = Listing(failing="clone")
    with pytest.raises(QueueUnavailable):
        settle(settler, RetryLater(MINUTE, "r", "d"))
    assert settler.steps == []


def test_a_clone_is_there_before_completing_can_fail() -> None:
    settler = Listing(failing="complete")
    with pytest.raises(QueueUnavailable):
        settle(settler, RetryLater(MINUTE, "r", "d"))
    assert settler.steps == [("clone", RetryLater(MINUTE, "r", "d"))]
