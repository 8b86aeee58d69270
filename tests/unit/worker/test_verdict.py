"""The settlement of a delivery, by its error and its attempt."""

import inspect
from datetime import timedelta

import pytest

from contracts import errors
from settings import Settings
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


TRANSIENT = [
    one
    for one in TREE
    if issubclass(one, errors.Transient) and one.costs_attempt and one is not errors.ExportInterrupted
]


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


def test_by_default_retries_outlast_an_outage_of_an_hour() -> None:
    fields = Settings.model_fields
    policy = RetryPolicy(fields["max_attempts"].default, timedelta(seconds=fields["retry_base_seconds"].default))
    error = errors.SourceUnavailable("no connection")
    settled = [settlement_for(error, attempt, policy) for attempt in range(1, policy.max_attempts)]
    assert sum((one.delay for one in settled if isinstance(one, RetryLater)), timedelta()) >= timedelta(hours=1)
    assert isinstance(settlement_for(error, policy.max_attempts, policy), DeadLetter)


def test_a_wait_for_a_connection_of_this_process_costs_no_attempt() -> None:
    settled = settlement_for(errors.SourceBusy("all connections are in use"), 99, POLICY)
    assert settled == RetryLater(POLICY.base, "SourceBusy", "all connections are in use", costs_attempt=False)


def test_what_failed_together_is_not_retried_together() -> None:
    error = errors.SourceUnavailable("no connection")
    soon, late = (settlement_for(error, 2, POLICY, spread) for spread in (0.0, 1.0))
    assert isinstance(soon, RetryLater)
    assert isinstance(late, RetryLater)
    assert (soon.delay, late.delay) == (timedelta(seconds=30), timedelta(seconds=37.5))
