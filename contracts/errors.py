"""Everything that Tailrace raises on purpose.

    TailraceError                 what failed, on what and why; `advice` says what to do next
    ├── ConfigurationError        settings or jobs.toml: nothing starts until a person corrects them
    ├── Permanent                 trying again cannot help: dead-lettered at the first attempt
    │   ├── RequestInvalid          the message is no request that this version understands
    │   ├── SourceRejected          PostgreSQL refuses: no such table or column, no privilege
    │   ├── WindowLeftOpen          transactions stayed open for longer than the job waits
    │   └── SinkRejected            Blob Storage refuses: another request's blob, a policy, no right
    └── Transient                 another attempt may succeed: retried with backoff
        ├── SourceUnavailable       no connection, lock or time-out, serialization, server shutdown
        ├── SourceBusy              no free connection in this process; costs no attempt
        ├── WindowOpen              a transaction can still add rows to the window; costs no attempt
        ├── JobDisabled             jobs.toml is wrong about the job, which a corrected one ends
        ├── SinkUnavailable         the account throttles, times out or cannot be reached
        ├── QueueUnavailable        Service Bus cannot be reached or refuses to take a message
        ├── IdentityUnavailable     no Entra token could be had
        ├── ExportIncomplete        the counted rows are not those PostgreSQL reports
        ├── CompressionWrong        the compressed bytes do not inflate to those that went in
        └── ExportInterrupted       this process stops before the export is done

`reason` is a stable CamelCase word: it is the dead letter's reason and what alerts are keyed on.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: `says` is what failed, on what and why; `advice` is what to do next, if anything helps.

    >>> print(Problem("TAILRACE_TICK: no schedule", "write six fields"))
    TAILRACE_TICK: no schedule; write six fields
    """

    says: str
    advice: str | None = None

    def __str__(self) -> str:
        """Both on one line."""
        return f"{self.says}; {self.advice}" if self.advice else self.says


class TailraceError(Exception):
    """The base of the tree. `str(error)` says what failed, on what and why; it holds no secret and no advice."""

    reason: str
    problems: tuple[Problem, ...]

    def __init__(self, message: str, *, advice: str | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).__name__
        self.problems = (Problem(message, advice),)

    @property
    def advice(self) -> str | None:
        """What to do next; None if nothing is known to help, or if each problem has its own."""
        return self.problems[0].advice if len(self.problems) == 1 else None

    @property
    def explained(self) -> str:
        """What failed and what to do next: a line for each problem."""
        return "\n".join(map(str, self.problems))


class ConfigurationError(TailraceError):
    """Settings or jobs.toml cannot be used; nothing starts until a person corrects them."""

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> "ConfigurationError":
        """One error for all problems found.

        >>> print(ConfigurationError.of([Problem("a is missing", "set it"), Problem("b is wrong")]).explained)
        a is missing; set it
        b is wrong
        """
        found = tuple(problems)
        error = cls("\n".join(problem.says for problem in found))
        error.problems = found
        return error


class Permanent(TailraceError):  # noqa: N818  # a kind of error, named for what to do
    """Another attempt cannot succeed unless a person changes something."""


class Transient(TailraceError):  # noqa: N818
    """Another attempt may succeed. A retry counts against the limit of attempts only if `costs_attempt`."""

    costs_attempt = True


class RequestInvalid(Permanent):
    """The body is no valid request."""


class SourceRejected(Permanent):
    """PostgreSQL refuses the statement for good."""


class WindowLeftOpen(Permanent):
    """The window did not close in time, and its job does not export it without proof."""


class SinkRejected(Permanent):
    """Blob Storage refuses the blob for good."""


class SourceUnavailable(Transient):
    """PostgreSQL cannot serve the export now."""


class SourceBusy(Transient):
    """All connections of this process serve other exports."""

    costs_attempt = False


class WindowOpen(Transient):
    """Rows that belong to the window can still arrive; the export waits for them."""

    costs_attempt = False


class JobDisabled(Transient):
    """jobs.toml of this worker is wrong about the job of the request; a corrected file lets it run."""


class SinkUnavailable(Transient):
    """Blob Storage cannot take the blob now."""


class QueueUnavailable(Transient):
    """Service Bus cannot be reached now."""


class IdentityUnavailable(Transient):
    """No Entra token can be had now."""


class ExportIncomplete(Transient):
    """The rows that arrived are not the rows that PostgreSQL says it sent."""


class CompressionWrong(Transient):
    """The compressed bytes do not inflate to the bytes that were compressed."""


class ExportInterrupted(Transient):
    """The process is stopping; the request goes back to the queue."""
