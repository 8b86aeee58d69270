"""Pure: the application_name of a session that exports, by which pg_stat_activity shows what it does."""

from uuid import UUID

# The name of all sessions; those of an export go on with its request and job.
PREFIX = "tailrace"
_LONGEST = 63  # bytes; PostgreSQL cuts off the rest


def session_name(request_id: UUID, job: str) -> str:
    """The name while a request is exported; a long name of a job is cut off.

    >>> session_name(UUID(int=7), "clicks")
    'tailrace 00000000-0000-0000-0000-000000000007 clicks'
    """
    return f"{PREFIX} {request_id} {job}"[:_LONGEST]


def export_in(name: str) -> tuple[UUID, str] | None:
    """The request that a session exports, and the first characters of its job; None if it exports nothing.

    >>> export_in("tailrace 00000000-0000-0000-0000-000000000007 clicks")
    (UUID('00000000-0000-0000-0000-000000000007'), 'clicks')
    >>> export_in("tailrace"), export_in("psql")
    (None, None)
    """
    prefix, _, rest = name.partition(" ")
    request_id, _, job = rest.partition(" ")
    try:
        return (UUID(request_id), job) if prefix == PREFIX else None
    except ValueError:
        return None
