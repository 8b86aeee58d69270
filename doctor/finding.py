"""Pure: checks, and what they found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.errors import TailraceError
from doctor.site import Site

type Verdict = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: `says` is the state of `subject`, `advice` what to do (a command, SQL)."""

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
    """It works, but could be better or safer, or part of it cannot be seen."""
    return Finding(subject, "warning", says, advice)


def failed(subject: str, says: str, advice: str | None = None) -> Finding:
    """Exports fail, or will fail one day."""
    return Finding(subject, "failed", says, advice)


def skipped(subject: str, says: str) -> Finding:
    """Nothing was checked; `says` is the reason."""
    return Finding(subject, "skipped", says)


def failed_by(subject: str, error: TailraceError) -> Finding:
    """The failure that an error of ours describes, with its advice.

    >>> failed_by("a", TailraceError("no b", advice="make one"))
    Finding(subject='a', verdict='failed', says='no b', advice='make one')
    """
    return failed(subject, str(error), error.advice)
