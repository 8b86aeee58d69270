"""The state of a request, from its blob, its message and its dead letter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.reasons import permanent_reasons, transient_reasons

from contracts.jobs_file import Jobs
from contracts.message import Lineage
from contracts.reasons import PERMANENT, TRANSIENT
from contracts.request import ExportRequest, TableSource
from producer.asking import decide
from producer.enqueue import ask
from producer.facts import Dead, Live, Present, QueueView
from producer.prefixes import prefixes_of

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
TODAY = {"j": "v2"}


def request(**more: object) -> ExportRequest:
    source = TableSource(schema_name="s", table="t")
    return ExportRequest(request_id=UUID(int=7), job="j", source=source, blob="b", run=NOW, **more)  # type: ignore[arg-type]


def dead(reason: str, ago: timedelta, version: str | None = "v2", heals: int = 0) -> QueueView:
    return QueueView(dead={UUID(int=7): Dead(1, reason, "why", NOW - ago, Lineage(version, heals))})


def state(queue: QueueView, blob: Present | None = None, **more: object) -> tuple[str, Lineage]:
    (found,) = decide([request(**more)], {"b": blob} if blob else {}, queue, TODAY, NOW)
    return found.state, found.lineage


def test_a_window_without_a_blob_and_without_a_message_is_sent_with_its_jobs_version() -> None:
    assert state(QueueView()) == ("send", Lineage("v2"))


def test_a_window_with_a_live_message_is_not_sent_again() -> None:
    """Whether it waits, is locked, or is scheduled for a retry; also if an older one is dead."""
    alive = QueueView({UUID(int=7): Live(2, NOW)}, dead("SourceUnavailable", timedelta(days=9)).dead)
    assert state(alive)[0] == "alive"


def test_only_its_own_blob_stands_for_a_window() -> None:
    assert state(QueueView(), Present(UUID(int=7)))[0] == "there"
    assert state(QueueView(), Present(uuid4(), 1, NOW))[0] == "foreign"
    assert state(QueueView(), Present())[0] == "foreign"


def test_a_blob_that_a_newer_run_has_replaced_lacks_nothing() -> None:
    """As after a submit of a job that has a schedule."""
    newer, older = (Present(uuid4(), 1, NOW + timedelta(minutes=minutes)) for minutes in (5, -5))
    assert state(QueueView(), newer, if_exists="replace")[0] == "there"
    assert state(QueueView(), older, if_exists="replace")[0] == "send"


def test_a_dead_letter_of_a_passing_reason_is_asked_for_again_with_growing_pauses() -> None:
    for heals, pause in ((0, 15), (1, 30), (2, 60), (5, 480), (7, 1440), (50, 1440)):
        before, after = (timedelta(minutes=pause + more) for more in (-1, 1))
        assert state(dead("SourceUnavailable", before, heals=heals))[0] == "postponed"
        assert state(dead("SourceUnavailable", after, heals=heals)) == ("send", Lineage("v2", heals + 1))


@pytest.mark.parametrize("reason", ["MaxDeliveryCountExceeded", "TTLExpiredException", "UnexpectedError", "WindowOpen"])
def test_what_the_broker_or_a_fault_ended_is_asked_for_again(reason: str) -> None:
    assert state(dead(reason, timedelta(hours=1)))[0] == "send"


@pytest.mark.parametrize("reason", sorted(PERMANENT))
def test_a_permanent_failure_is_not_asked_for_again_until_its_job_has_changed(reason: str) -> None:
    assert state(dead(reason, timedelta(days=30)))[0] == "dead"
    assert state(dead(reason, timedelta(days=30), version=None))[0] == "dead"
    assert state(dead(reason, timedelta(minutes=1), version="v1", heals=3)) == ("send", Lineage("v2"))


def test_a_request_is_held_back_if_unseen_messages_could_be_its_own() -> None:
    assert state(QueueView(is_whole=False))[0] == "held"


def test_a_dead_letter_that_is_due_again_is_held_back_too_as_its_new_message_may_be_among_the_unseen() -> None:
    for due in (dead("TableMissing", timedelta(0), version="v1"), dead("SourceUnavailable", timedelta(hours=1))):
        assert state(due)[0] == "send"
        assert state(replace(due, is_whole=False))[0] == "held"


def test_every_reason_is_known_to_be_permanent_or_not() -> None:
    assert permanent_reasons() == PERMANENT
    assert transient_reasons() == TRANSIENT
    assert not TRANSIENT & PERMANENT


@given(st.dates(), st.integers(1, 60), st.sampled_from(["%Y/%m/%d", "%Y%m%d", "%d-%m-%Y", "x/%F.csv.gz"]))
def test_every_name_is_listed_by_exactly_one_prefix(day: object, count: int, form: str) -> None:
    days = [day + timedelta(days=number) for number in range(count) if day.toordinal() + number < 3_652_059]  # type: ignore[attr-defined,operator]
    names = [one.strftime(form) for one in days]
    groups = prefixes_of(names)
    assert sorted(name for _, group in groups for name in group) == sorted(names)
    assert all(name.startswith(prefix) for prefix, group in groups for name in group)
    assert len(groups) <= 8


def test_a_months_or_years_turn_lists_days_and_not_the_history() -> None:
    days = [
        (datetime(2025, 12, 28, tzinfo=UTC) + timedelta(days=number)).strftime("a/%Y/%m/%d.gz") for number in range(8)
    ]
    assert [prefix for prefix, _ in prefixes_of(days)] == ["a/2025/12/2", "a/2025/12/3", "a/2026/01/0"]


def test_an_export_that_ends_between_the_two_looks_is_not_asked_for_again() -> None:
    """Its message has left the queue for the container after the blobs were looked up."""
    one = request()
    looks = iter([{}, {"b": Present(one.request_id)}])

    class Index:
        def present(self, groups: object) -> dict[str, Present]:
            assert list(groups)  # type: ignore[call-overload]
            return next(looks)

    class Queue:
        def look(self, _: int | None) -> QueueView:
            return QueueView()

        def send(self, *_: object) -> int:
            raise AssertionError

    (found,) = ask([one], Jobs({}), Index(), Queue(), NOW)
    assert found.state == "there"
