"""The page of states lists each reason of a dead letter, and whether it is permanent."""

import re
from pathlib import Path

from support.reasons import BROKER, permanent_reasons, transient_reasons

from contracts.reasons import is_permanent

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "message_states.md"


def documented() -> dict[str, str]:
    """Reason → the attempt at which the page says that it is dead-lettered."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| (first|last|\N{EN DASH}) \|$", PAGE.read_text(), re.MULTILINE)
    return {reason: attempt for reasons, attempt in rows for reason in re.findall(r"`(\w+)`", reasons)}


def test_the_page_lists_exactly_the_reasons_of_the_code() -> None:
    assert documented().keys() == permanent_reasons() | transient_reasons()


def test_permanent_reasons_are_those_of_the_first_attempt() -> None:
    assert {reason for reason, attempt in documented().items() if attempt == "first"} == permanent_reasons()
    assert all(is_permanent(reason) == (attempt == "first") for reason, attempt in documented().items())


def test_reasons_of_the_last_attempt_are_those_of_our_own_retries() -> None:
    retried = {reason for reason, attempt in documented().items() if attempt == "last"}
    assert retried == transient_reasons() - BROKER - {"WindowOpen"}
