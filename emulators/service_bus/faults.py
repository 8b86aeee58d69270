"""Faults of settlements, for tests."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from emulators.service_bus.amqp.states import Outcome, rejected

type Later = Callable[[int, Callable[[], None]], None]


class Fault(StrEnum):
    """A fault of a settlement on a link."""

    DELAY = "delay"  # it reaches the queue late
    REFUSE = "refuse"  # it is answered with an internal error, and has no effect
    LOSE = "lose"  # it never reaches the queue, and is never answered
    LOSE_ANSWER = "lose-answer"  # it has its effect, and is never answered


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, with its delay in ms."""

    fault: Fault
    delay_ms: int = 0


class Faults:
    """The planned faults of each queue. `later` runs an action after some ms."""

    def __init__(self, later: Later) -> None:
        self._later = later
        self._planned: dict[str, deque[Planned]] = {}

    def plan(self, queue: str, fault: Fault, *, times: int = 1, delay_ms: int = 0) -> None:
        """Plan faults for the next settlements on links of a queue, after those planned before."""
        self._planned.setdefault(queue, deque()).extend([Planned(fault, delay_ms)] * times)

    def clear(self) -> None:
        """Forget all planned faults."""
        self._planned.clear()

    def apply(self, queue: str, settle: Callable[[], Outcome], answer: Callable[[Outcome], None]) -> None:
        """Settle and answer, unless a fault is planned."""
        planned = self._planned.get(queue)
        match planned.popleft() if planned else None:
            case None:
                answer(settle())
            case Planned(Fault.DELAY, delay_ms):
                self._later(delay_ms, lambda: answer(settle()))
            case Planned(Fault.REFUSE):
                answer(rejected("amqp:internal-error", f"A test asked for it: {queue} refuses to settle."))
            case Planned(Fault.LOSE_ANSWER):
                settle()
            case _:
                pass
