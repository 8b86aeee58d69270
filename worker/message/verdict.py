"""Pure: what an error means for the delivery it struck."""

from dataclasses import dataclass
from datetime import timedelta

from contracts.errors import ExportInterrupted, Permanent, TailraceError, Transient
from telemetry.secrets import without_secrets
from worker.message.settlement import Abandon, DeadLetter, RetryLater, Settlement

_LONGEST = timedelta(minutes=15)
_FIELD_LIMIT = 4096  # Service Bus's limit of each of reason and description


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `max_attempts` attempts; the second one `base` after the first, each next wait twice as long.

    A wait is 15 minutes at most, and up to a quarter longer, so that what failed together is not retried together.
    """

    max_attempts: int
    base: timedelta


def settlement_for(error: Exception, attempt: int, policy: RetryPolicy, spread: float = 0.0) -> Settlement:
    """What becomes of a delivery whose `attempt` (from 1) ended in `error`. `spread`, from 0 to 1, lengthens the wait.

    >>> from contracts.errors import SourceRejected, SourceUnavailable
    >>> policy = RetryPolicy(max_attempts=3, base=timedelta(seconds=10))
    >>> settlement_for(SourceRejected("no such table", reason="TableMissing"), 1, policy)
    DeadLetter(reason='TableMissing', description='no such table')
    >>> settlement_for(SourceUnavailable("no connection"), 2, policy).delay
    datetime.timedelta(seconds=20)
    >>> settlement_for(SourceUnavailable("no connection"), 3, policy).description
    'no connection; gave up after 3 attempts'
    """
    reason, description = _described(error)
    longer = 1 + spread / 4
    if isinstance(error, ExportInterrupted):
        return Abandon(reason)
    if isinstance(error, Transient) and not error.costs_attempt:
        return RetryLater(policy.base * longer, reason, description[:_FIELD_LIMIT], costs_attempt=False)
    if isinstance(error, Permanent):
        return DeadLetter(reason, description[:_FIELD_LIMIT])
    if attempt >= policy.max_attempts:
        tail = f"; gave up after {attempt} attempts"
        return DeadLetter(reason, description[: _FIELD_LIMIT - len(tail)] + tail)
    delay = min(policy.base * 2 ** min(attempt - 1, 20), _LONGEST) * longer
    return RetryLater(delay, reason, description[:_FIELD_LIMIT])


def _described(error: Exception) -> tuple[str, str]:
    if isinstance(error, TailraceError):
        return error.reason, without_secrets(error.explained)
    return "UnexpectedError", without_secrets(f"{type(error).__name__}: {error}")
