"""Checks run in the order of their needs, side by side, and end in time."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from doctor.examine import Result, examine
from doctor.finding import Check, Finding, failed, ok, warning
from doctor.site import Site


@pytest.fixture
def released() -> Iterable[threading.Event]:
    """Set at the end, so that no thread of a test outlives it for long."""
    event = threading.Event()
    yield event
    event.set()


def verdicts(results: list[Result]) -> dict[str, str]:
    return {result.check: result.findings[0].verdict for result in results}


def run(*checks: Check, limit_s: float = 20) -> list[Result]:
    return examine(checks, Site({}, Path()), limit_s)


def gives(*findings: Finding) -> Callable[[Site], Iterable[Finding]]:
    return lambda _: findings


def test_what_needs_a_failed_check_is_skipped_and_says_so() -> None:
    results = run(
        Check("c", gives(ok("c", "")), needs=("b",)),
        Check("b", gives(ok("b", "")), needs=("a",)),
        Check("a", gives(failed("a", "broken"))),
        Check("d", gives(ok("d", ""))),
    )
    assert verdicts(results) == {"c": "skipped", "b": "skipped", "a": "failed", "d": "ok"}
    assert [result.check for result in results] == ["c", "b", "a", "d"]
    assert results[1].findings[0].says == "needs a"


def test_a_warning_stops_nothing() -> None:
    results = run(Check("a", gives(warning("a", "odd"))), Check("b", gives(ok("b", "")), needs=("a",)))
    assert verdicts(results) == {"a": "warning", "b": "ok"}


def test_a_check_that_hangs_fails_with_what_that_means_and_the_others_are_done(released: threading.Event) -> None:
    def hangs(_: Site) -> Iterable[Finding]:
        released.wait(60)
        return ()

    began = time.monotonic()
    results = run(Check("a", hangs, limit_s=0.2, late="unplugged", fix="plug it in"), Check("b", gives(ok("b", ""))))
    assert time.monotonic() - began < 10
    assert verdicts(results) == {"a": "failed", "b": "ok"}
    assert results[0].findings[0].says == "no answer within 0.2 s: unplugged"
    assert results[0].findings[0].advice == "plug it in"


def test_all_checks_together_have_a_limit_too(released: threading.Event) -> None:
    def hangs(_: Site) -> Iterable[Finding]:
        released.wait(60)
        return ()

    began = time.monotonic()
    results = run(*(Check(name, hangs, limit_s=50) for name in "abc"), limit_s=0.2)
    assert time.monotonic() - began < 10
    assert verdicts(results) == dict.fromkeys("abc", "failed")


def test_checks_that_need_nothing_of_each_other_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=20)

    def meets(_: Site) -> Iterable[Finding]:
        both.wait()
        return (ok("x", ""),)

    assert verdicts(run(Check("a", meets), Check("b", meets))) == {"a": "ok", "b": "ok"}


def test_a_faulty_check_hides_no_other() -> None:
    def breaks(_: Site) -> Iterable[Finding]:
        raise KeyError("oops")

    results = run(Check("a", breaks), Check("b", gives(ok("b", ""))))
    assert verdicts(results) == {"a": "failed", "b": "ok"}
    assert results[0].findings[0].says == "the check itself failed: KeyError: 'oops'"
