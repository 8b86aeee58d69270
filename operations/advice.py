"""Pure: what a person does about a state or about the reason of a dead letter."""

from operations.coverage import PAUSED, State

_OF_STATE: dict[State, str] = {
    "dead": "`tailrace dlq list` shows it; correct the cause, then `tailrace dlq replay`",
    "missing": "the next tick asks for it; if it stays, look at the producer's log",
    "too-old": "no tick asks for it; `tailrace backfill` does, or `start` in jobs.toml says that it is not wanted",
    "foreign": "rename or remove that blob, or give the job other names",
}
_DEPLOY = "correct jobs.toml and deploy it, then replay"
_STORAGE = "correct the storage account as the description says, then replay; `tailrace doctor` checks it"
_OF_REASON = {
    "InvalidRequest": "drop it: no worker understands it, and it was not sent by Tailrace as it is configured",
    "MessageTooLarge": "drop it: no worker reads a message of this size",
    "UnknownVersion": "deploy the workers that know this version, then replay",
    "JobMissing": "put the job back into jobs.toml and replay, or drop it",
    "JobDisabled": _DEPLOY,
    "QueryMissing": _DEPLOY,
    "WindowMissing": _DEPLOY,
    "FormatNotInstalled": "install requirements-parquet.txt with the workers, then replay",
    "WindowOpen": "end the transaction that the description names, then replay",
    "TableMissing": "create the table or correct the job; a changed job is asked for again by the next tick",
    "SchemaMissing": "create the schema or correct the job; a changed job is asked for again by the next tick",
    "ColumnMissing": "correct the job's columns; a changed job is asked for again by the next tick",
    "PrivilegeMissing": "grant what `tailrace grants` prints, then replay",
    "StatementTimeout": "raise TAILRACE_STATEMENT_TIMEOUT_SECONDS or make windows shorter",
    "BlobExists": 'remove or rename that blob, or set if_exists = "replace" for the job, then replay',
    "BlobTooLarge": "make windows shorter",
    "MaxDeliveryCountExceeded": "its worker died again and again: look for lack of memory in its log, then replay",
    "TTLExpiredException": "no worker took it for as long as a message lives: start workers; it is asked for again",
}
_STORAGE_REASONS = (
    "Authorization", "Authentication", "InvalidAuthentication", "KeyBased", "Container", "BlobImmutable",
    "BlobArchived", "Lease", "InvalidBlob", "InvalidResource", "Path", "ResourceType",
)  # fmt: skip


def state_advice(state: State, why: str | None) -> str | None:
    """What to do about windows in a state; `why` is what is known of the cause.

    >>> state_advice("missing", PAUSED), state_advice("there", None)
    ('`tailrace pause --list` says who paused it and why; `tailrace resume` lets it go on', None)
    """
    if why == PAUSED:
        return "`tailrace pause --list` says who paused it and why; `tailrace resume` lets it go on"
    return _OF_STATE.get(state)


def reason_advice(reason: str | None, *, permanent: bool) -> str:
    """What to do about dead letters of a reason.

    >>> reason_advice("PrivilegeMissing", permanent=True)
    'grant what `tailrace grants` prints, then replay'
    >>> reason_advice("SourceUnavailable", permanent=False)
    'it is asked for again by itself, later and later; replay does so at once'
    """
    if reason in _OF_REASON:
        return _OF_REASON[reason]
    if reason and reason.startswith(_STORAGE_REASONS):
        return _STORAGE
    if permanent:
        return "correct what the description names, then replay"
    return "it is asked for again by itself, later and later; replay does so at once"
