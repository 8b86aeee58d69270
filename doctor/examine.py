"""Runs checks in parallel, each once the checks that it needs have passed, and ends in time whatever hangs."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from doctor.finding import Check, Finding, failed, skipped
from doctor.site import Site

LIMIT_S = 28.0


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    check: str
    findings: tuple[Finding, ...]

    @property
    def has_failed(self) -> bool:
        """Whether the checks that need this one are skipped."""
        return any(finding.verdict in {"failed", "skipped"} for finding in self.findings)


def examine(checks: Sequence[Check], site: Site, limit_s: float = LIMIT_S) -> list[Result]:
    """The results, in the order of the checks; none is missing.

    A check whose need failed is skipped. A late check has failed; its thread is abandoned.
    """
    end = time.monotonic() + limit_s
    done: dict[str, Result] = {}
    running: dict[str, tuple[Check, float]] = {}
    arrived: SimpleQueue[Result] = SimpleQueue()
    while len(done) < len(checks):
        for check in _ready(checks, done, running):
            running[check.name] = (check, min(end, time.monotonic() + check.limit_s))
            Thread(target=_run, args=(check, site, arrived), daemon=True).start()
        if not running:
            done.update((result.check, result) for result in _skipped(checks, done))
            continue
        for result in _next(arrived, running):
            del running[result.check]
            done[result.check] = result
    return [done[check.name] for check in checks]


def _ready(checks: Sequence[Check], done: dict[str, Result], running: Collection[str]) -> list[Check]:
    waiting = [check for check in checks if check.name not in done and check.name not in running]
    return [c for c in waiting if all(need in done and not done[need].has_failed for need in c.needs)]


def _skipped(checks: Sequence[Check], done: dict[str, Result]) -> Iterator[Result]:
    for check in checks:
        if check.name not in done:
            missing = [need for need in check.needs if need not in done or done[need].has_failed]
            yield Result(check.name, (skipped(check.name, f"needs {', '.join(missing)}"),))


def _next(arrived: SimpleQueue[Result], running: dict[str, tuple[Check, float]]) -> list[Result]:
    """The next result, or the failures of late checks."""
    wait = min(deadline for _, deadline in running.values()) - time.monotonic()
    try:
        result = arrived.get(timeout=max(0.0, wait))
    except Empty:
        now = time.monotonic()
        late = [check for check, deadline in running.values() if deadline <= now]
        return [Result(c.name, (failed(c.name, f"no answer within {c.limit_s:g} s: {c.late}", c.fix),)) for c in late]
    return [result] if result.check in running else []


def _run(check: Check, site: Site, arrived: SimpleQueue[Result]) -> None:
    try:
        findings = tuple(check.run(site))
    except Exception as error:  # noqa: BLE001  # one check that is wrong itself must not hide all others
        said = str(error).strip().partition("\n")[0][:300]
        findings = (failed(check.name, f"the check itself failed: {type(error).__name__}: {said}"),)
    arrived.put(Result(check.name, findings))
