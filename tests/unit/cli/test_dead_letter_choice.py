from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cli.letters import as_fields
from operations.dead_choice import Choice
from operations.dead_letters import DeadMessage
from producer.ask import AskRefused

type Refused = Callable[..., str]


def letter(number: int, reason: str | None = None, job: str | None = None, body: bytes = b"{}") -> DeadMessage:
    return DeadMessage(
        sequence_number=number,
        enqueued_at=datetime(2026, 1, 31, 13, 0, 5, 999, tzinfo=UTC),
        message_id="m",
        body=body,
        request=None,
        job=job,
        reason=reason,
        description=None,
        attempt=1,
    )


LETTERS = [letter(1, "TableMissing", "a"), letter(2, "TableMissing", "b"), letter(3, "BlobExists", "a"), letter(4)]


@pytest.mark.parametrize(
    ("numbers", "reason", "job", "chosen"),
    [
        ({1, 4}, None, None, {1, 4}),
        (set(), "TableMissing", None, {1, 2}),
        (set(), None, "a", {1, 3}),
        (set(), "TableMissing", "a", {1}),
        ({2, 3}, None, "a", {3}),
        (set(), "tablemissing", None, set()),
    ],
)
def test_numbers_reason_and_job_narrow_each_other_down(
    numbers: set[int], reason: str | None, job: str | None, chosen: set[int]
) -> None:
    found = Choice.of(frozenset(numbers), reason, job, every=False).among(LETTERS, {})
    assert {one.sequence_number for one in found} == chosen


def test_all_means_those_without_reason_and_job_too() -> None:
    assert Choice.of(frozenset(), None, None, every=True).among(LETTERS, {}) == LETTERS


def test_a_number_that_is_no_dead_letter_is_refused() -> None:
    with pytest.raises(AskRefused, match="there are no dead letters 7, 9; nothing was done"):
        Choice.of(frozenset({9, 1, 7}), None, None, every=False).among(LETTERS, {})


def test_a_choice_of_nothing_is_refused(refused: Refused) -> None:
    said = refused("dlq", "replay")
    assert said == "error: say which dead letters; their sequence numbers, --reason, --job, or --all\n"


def test_all_beside_another_choice_is_refused(refused: Refused) -> None:
    assert refused("dlq", "replay", "3", "--all").startswith("error: --all means every dead letter; leave it out")


def test_a_body_that_is_no_request_is_shown_by_its_first_bytes_escaped() -> None:
    fields = as_fields(letter(1, body=b"\x1b[2J\xff" + "é".encode() * 200))
    assert fields["body"] == "405 bytes, b'\\x1b[2J\\xff" + "\\xc3\\xa9" * 57 + "\\xc3'…"
    assert fields["enqueued"] == "2026-01-31T13:00:05+00:00"
