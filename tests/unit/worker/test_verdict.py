"""What becomes of a delivery, by its error and its attempt."""

import inspect
from datetime import timedelta

import pytest

from contracts import errors
from worker.message.settlement import Abandon, DeadLetter, RetryLater
from worker.message.verdict import RetryPolicy, settlement_for

POLICY = RetryPolicy(max_attempts=5, base=timedelta(seconds=15))
TREE = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.TailraceError)]


@pytest.mark.parametrize("kind", [one for one in TREE if issubclass(one, errors.Permanent)])
@pytest.mark.parametrize("attempt", [1, 4, 5, 99])
def test_what_cannot_succeed_is_dead_lettered_at_the_first_attempt(
    kind: type[errors.TailraceError], attempt: int
) -> None:
    assert settlement_for(kind("why", reason="Reason"), attempt, POLICY) == DeadLetter("Reason", "why")


TRANSIENT = [one for one in TREE if issubclass(one, errors.Transient) and one is not errors.ExportInterrupted]


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_may_succeed_waits_twice_as_long_each_time_and_then_gives_up(kind: type[errors.TailraceError]) -> None:
    error = kind("why")
    settled = [settlement_for(error, attempt, POLICY) for attempt in (1, 2, 3, 4)]
    assert settled == [RetryLater(timedelta(seconds=wait), kind.__name__, "why") for wait in (15, 30, 60, 120)]
    assert settlement_for(error, 5, POLICY) == DeadLetter(kind.__name__, "why; gave up after 5 attempts")
    assert settlement_for(error, 6, POLICY) == DeadLetter(kind.__name__, "why; gave up after 6 attempts")


@pytest.mark.parametrize("attempt", [1, 5, 50])
def test_an_interrupted_export_goes_back_whatever_its_attempt(attempt: int) -> None:
    assert settlement_for(errors.ExportInterrupted("stopping"), attempt, POLICY) == Abandon("ExportInterrupted")


def test_a_fault_of_our_own_is_retried_and_named() -> None:
    settled = settlement_for(KeyError("column"), 1, POLICY)
    assert settled == RetryLater(timedelta(seconds=15), "UnexpectedError", "KeyError: 'column'")
    assert isinstance(settlement_for(ZeroDivisionError(), 5, POLICY), DeadLetter)


def test_no_wait_is_longer_than_a_quarter_of_an_hour() -> None:
    policy = RetryPolicy(max_attempts=10**6, base=timedelta(hours=1))
    for attempt in (1, 10, 10**5):
        settled = settlement_for(errors.SourceUnavailable("why"), attempt, policy)
        assert isinstance(settled, RetryLater)
        assert settled.delay == timedelta(minutes=15)


@pytest.mark.parametrize("error", [errors.SourceRejected("é" * 9000), errors.SourceUnavailable("x" * 9000)])
def test_a_description_fits_into_its_property_and_keeps_its_end(error: errors.TailraceError) -> None:
    settled = settlement_for(error, 5, POLICY)
    assert isinstance(settled, DeadLetter)
    assert len(settled.description) == 4096
    if isinstance(error, errors.Transient):
        assert settled.description.endswith("gave up after 5 attempts")
