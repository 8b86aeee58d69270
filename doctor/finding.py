"""What a check found: values only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.errors import TailraceError
from doctor.site import Site

type Verdict = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `subject` is what, `says` is how it is, `advice` what to do (a command, SQL)."""

    subject: str
    verdict: Verdict
    says: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A check, by name. needs: names of checks that must not have failed.

    late: what no answer in `limit_s` means; fix: what to do then.
    """

    name: str
    run: Callable[[Site], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    limit_s: float = 12.0
    late: str = "a firewall drops packets, or the server is overloaded"
    fix: str = "let this network through the server's firewall, or try again when it has less to do"


def ok(subject: str, says: str) -> Finding:
    """All is well."""
    return Finding(subject, "ok", says)


def warning(subject: str, says: str, advice: str | None = None) -> Finding:
    """It works, but not as well or as safely as it could, or part of it cannot be seen."""
    return Finding(subject, "warning", says, advice)


def failed(subject: str, says: str, advice: str | None = None) -> Finding:
    """An export cannot work, or will not one day."""
    return Finding(subject, "failed", says, advice)


def skipped(subject: str, says: str) -> Finding:
    """Nothing was looked at, and why."""
    return Finding(subject, "skipped", says)


def failed_by(subject: str, error: TailraceError) -> Finding:
    """What an error of the project says, with its advice.

    >>> failed_by("a", TailraceError("no b", advice="make one"))
    Finding(subject='a', verdict='failed', says='no b', advice='make one')
    """
    return failed(subject, str(error), error.advice)
