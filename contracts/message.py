"""The message envelope: ids, application properties, attempt and trace. Plain values; no SDK is imported.

Properties and bodies come as the SDKs hand them over: names and texts may be bytes.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

# traceparent, and tracestate if there is one. Any, since they are merged into properties whose names may be bytes.
type Carrier = Mapping[Any, str]

# As the SDK declares them.
type Properties = dict[str | bytes, int | float | bytes | bool | str | UUID]

CONTENT_TYPE = "application/json"
# The reason of a message that is put off because its job is paused.
PAUSED = "JobPaused"
_ATTEMPT, _JOB, _WAITS_SINCE, _VERSION, _HEALS = "attempt", "job", "waits_since", "job_version", "heals"
_WHY, _LONGEST_WHY = "why", 500
_BACKFILL, _ASKED_AT = "backfill", "asked_at"
# Service Bus takes 128 characters; a suffix needs less than the 48 that this leaves.
_STEM_CHARACTERS = 80
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_TRACESTATE = 512


@dataclass(frozen=True, slots=True)
class Lineage:
    """Facts that a message passes to its retries.

    `version` is the job's, None if the sender gave none; `heals` counts how often a dead letter was asked for again.
    `backfill` is the id of the backfill that sent the request, if one did; `asked_at` is when it was sent first.
    """

    version: str | None = None
    heals: int = 0
    backfill: str | None = None
    asked_at: datetime | None = None


NO_LINEAGE = Lineage()


def ask_id(request_id: UUID, asked_at: datetime) -> str:
    """The MessageId of a request that is asked for in this minute: asking twice in it sends one message.

    >>> ask_id(UUID(int=7), datetime.fromisoformat("2026-01-31T13:05:59+00:00"))
    '00000000-0000-0000-0000-000000000007#20260131T1305'
    """
    return f"{request_id}#{asked_at:%Y%m%dT%H%M}"


def unique_id(request_id: UUID) -> str:
    """A new MessageId for the request, which duplicate detection does not drop."""
    return f"{request_id}#{uuid4().hex[:12]}"


def backfill_id(request_id: UUID, backfill: str) -> str:
    """The MessageId of a request that a backfill sends: sending it twice in one backfill sends one message.

    >>> backfill_id(UUID(int=7), "b-1f")
    '00000000-0000-0000-0000-000000000007#b-1f'
    """
    return f"{request_id}#{backfill[:40]}"


def retry_id(message_id: str, attempt: int, sequence_number: int) -> str:
    """The MessageId of a retry: unique, and the same each time it is built for one delivery.

    >>> retry_id("5b3c1e0e#2.17", attempt=3, sequence_number=30)
    '5b3c1e0e#3.30'
    """
    return f"{stem(message_id)}#{attempt}.{sequence_number}"


def replay_id(message_id: str) -> str:
    """The MessageId of a replayed dead letter: random, since a repeat is harmless and a dropped replay is not."""
    return f"{stem(message_id)}#replay-{uuid4().hex}"


def resume_id(message_id: str, sequence_number: int) -> str:
    """The MessageId of a message that is brought back from a pause: the same each time that it is brought back.

    >>> resume_id("5b3c1e0e#1.30", sequence_number=31)
    '5b3c1e0e#resume.31'
    """
    return f"{stem(message_id)}#resume.{sequence_number}"


def stem(message_id: str) -> str:
    """The part that the MessageIds of one request share: its request id.

    >>> stem("5b3c1e0e#3.30"), stem("5b3c1e0e")
    ('5b3c1e0e', '5b3c1e0e')
    """
    return message_id.partition("#")[0][:_STEM_CHARACTERS]


def properties(
    job: str | None,
    trace: Carrier,
    attempt: int = 1,
    waits_since: datetime | None = None,
    lineage: Lineage = NO_LINEAGE,
    why: str | None = None,
) -> Properties:
    """The application properties of a message. A first attempt has no `attempt`.

    `waits_since` is the time of the first retry that cost no attempt; `why` is why the attempt before failed.
    """
    carried: Properties = {**trace}
    if job is not None:
        carried[_JOB] = job
    if attempt > 1:
        carried[_ATTEMPT] = attempt
    if waits_since is not None:
        carried[_WAITS_SINCE] = waits_since.isoformat()
    if lineage.version is not None:
        carried[_VERSION] = lineage.version
    if lineage.heals:
        carried[_HEALS] = lineage.heals
    if why is not None:
        carried[_WHY] = why[:_LONGEST_WHY]
    if lineage.backfill is not None:
        carried[_BACKFILL] = lineage.backfill
    if lineage.asked_at is not None:
        carried[_ASKED_AT] = lineage.asked_at.isoformat()
    return carried


def attempt_of(properties: Mapping[Any, object] | None, redeliveries: int) -> int:
    """The 1-based attempt: the number in the properties, plus the redeliveries of this message.

    >>> attempt_of({b"attempt": 3}, redeliveries=1), attempt_of(None, redeliveries=0), attempt_of({"attempt": "x"}, 0)
    (4, 1, 1)
    """
    carried = _decoded(properties).get(_ATTEMPT)
    return (carried if isinstance(carried, int) and carried > 0 else 1) + redeliveries


def job_of(properties: Mapping[Any, object] | None) -> str | None:
    """The job that the properties name, even if the body cannot be read."""
    job = _decoded(properties).get(_JOB)
    return job if isinstance(job, str) else None


def why_of(properties: Mapping[Any, object] | None) -> str | None:
    """Why the attempt before failed, as `reason: description`; None of a first attempt."""
    why = _decoded(properties).get(_WHY)
    return why if isinstance(why, str) else None


def lineage_of(properties: Mapping[Any, object] | None) -> Lineage:
    """The lineage in a message's properties.

    >>> lineage_of({b"job_version": b"1f", b"heals": 2}) == Lineage("1f", 2), lineage_of({"heals": -1}) == NO_LINEAGE
    (True, True)
    """
    decoded = _decoded(properties)
    version, heals, backfill = decoded.get(_VERSION), decoded.get(_HEALS), decoded.get(_BACKFILL)
    return Lineage(
        version if isinstance(version, str) else None,
        heals if isinstance(heals, int) and 0 < heals < 1000 else 0,
        backfill if isinstance(backfill, str) else None,
        _moment(decoded.get(_ASKED_AT)),
    )


def request_id_of(message_id: object, body: object) -> UUID | None:
    """The id of a message's request, from its MessageId or else its body; None if neither has one.

    >>> request_id_of("00000000-0000-0000-0000-000000000007#3.30", b"")
    UUID('00000000-0000-0000-0000-000000000007')
    """
    with suppress(ValueError):
        return UUID(stem(str(message_id or "")))
    found = re.search(rb'"request_id"\s*:\s*"([0-9a-fA-F-]{36})"', body_of(body)[:4096])
    with suppress(ValueError):
        return UUID(found[1].decode()) if found else None
    return None


def waits_since_of(properties: Mapping[Any, object] | None) -> datetime | None:
    """When the request began to wait without costing attempts; None if it does not wait.

    >>> waits_since_of({b"waits_since": b"2026-01-31T00:00:00+00:00"}).year, waits_since_of({"waits_since": "x"})
    (2026, None)
    """
    return _moment(_decoded(properties).get(_WAITS_SINCE))


def trace_of(properties: Mapping[Any, object] | None) -> Carrier:
    """The W3C trace context among the properties; an invalid one is left out.

    >>> trace_of({b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"job": b"clicks"})
    {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}
    >>> trace_of({"traceparent": "00-1"}), trace_of({"tracestate": "a=b"})
    ({}, {})
    """
    decoded = _decoded(properties)
    parent, state = decoded.get("traceparent"), decoded.get("tracestate")
    if not isinstance(parent, str) or not _TRACEPARENT.fullmatch(parent):
        return {}
    if isinstance(state, str) and 0 < len(state) <= _LONGEST_TRACESTATE and state.isascii() and state.isprintable():
        return {"traceparent": parent, "tracestate": state}
    return {"traceparent": parent}


def body_of(body: object) -> bytes:
    """The bytes of a message's body, from any AMQP section: some clients send text as a value.

    >>> body_of(b"{}"), body_of(iter([b"{", b"}"])), body_of("{}"), body_of({"a": 1})
    (b'{}', b'{}', b'{}', b"{'a': 1}")
    """
    if isinstance(body, bytes):
        return body
    if isinstance(body, Iterable) and not isinstance(body, str | Mapping):
        pieces = list(body)
        if all(isinstance(piece, bytes) for piece in pieces):
            return b"".join(pieces)
        body = pieces
    return str(body).encode(errors="replace")


def _moment(carried: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(carried) if isinstance(carried, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _decoded(properties: Mapping[Any, object] | None) -> dict[str, object]:
    return {str(_text(key)): _text(value) for key, value in (properties or {}).items()}


def _text(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
