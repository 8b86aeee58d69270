"""What becomes of a delivery: a value, decided by worker.message.verdict and carried out by one settler."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Complete:
    """The request is done; `outcome` says how: exported, already-there, superseded or cancelled."""

    outcome: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """A clone is scheduled `delay` from now, then this message is completed. It carries the next attempt's number, or
    this one's if the retry costs no attempt. `restarts_wait`: the clone has not waited for its window to close yet.
    """

    delay: timedelta
    reason: str
    description: str
    costs_attempt: bool = True
    restarts_wait: bool = False


@dataclass(frozen=True, slots=True)
class Abandon:
    """The message goes back to the queue at once: this process is stopping, and nothing is wrong with the request."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The message goes to the dead-letter queue. Each field has at most 4,096 characters."""

    reason: str
    description: str


type Settlement = Complete | RetryLater | Abandon | DeadLetter
