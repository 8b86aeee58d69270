"""Everything that Tailrace raises on purpose.

    TailraceError                 what failed, on what, why, what to do next
    ├── ConfigurationError        settings or jobs.toml: nothing starts until a person mends it
    ├── Permanent                 trying again cannot help: dead-lettered at the first attempt
    │   ├── RequestInvalid          the message is no request that this version understands
    │   ├── SourceRejected          PostgreSQL refuses: no such table or column, no privilege
    │   └── SinkRejected            Blob Storage refuses: another request's blob, a policy, no right
    └── Transient                 another attempt may succeed: retried with backoff
        ├── SourceUnavailable       no connection, lock or time-out, serialization, server shutdown
        ├── SinkUnavailable         the account throttles, times out or cannot be reached
        ├── QueueUnavailable        Service Bus cannot be reached or refuses to take a message
        ├── IdentityUnavailable     no Entra token could be had
        ├── ExportIncomplete        the counted rows are not those PostgreSQL reports
        └── ExportInterrupted       this process was told to stop before the export was done

`reason` is a stable CamelCase word: it is the dead letter's reason and what alerts are keyed on.
"""


class TailraceError(Exception):
    """The base of the tree; `str(error)` is one line for a person and holds no secret."""

    reason: str

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).__name__


class ConfigurationError(TailraceError):
    """Settings or jobs.toml cannot be used; the message lists every problem found."""


class Permanent(TailraceError):  # noqa: N818  # a kind of error, named for what to do
    """Another attempt cannot succeed unless a person changes something."""


class Transient(TailraceError):  # noqa: N818
    """Another attempt may succeed."""


class RequestInvalid(Permanent):
    """The body is no valid request."""


class SourceRejected(Permanent):
    """PostgreSQL refuses the statement for good."""


class SinkRejected(Permanent):
    """Blob Storage refuses the blob for good."""


class SourceUnavailable(Transient):
    """PostgreSQL cannot serve the export now."""


class SinkUnavailable(Transient):
    """Blob Storage cannot take the blob now."""


class QueueUnavailable(Transient):
    """Service Bus cannot be reached now."""


class IdentityUnavailable(Transient):
    """No Entra token could be had now."""


class ExportIncomplete(Transient):
    """The rows that arrived are not the rows that PostgreSQL says it sent."""


class ExportInterrupted(Transient):
    """The process is stopping; the request goes back to the queue."""
