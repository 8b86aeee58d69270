"""Spans, and the W3C trace context that joins the spans of a producer to those of the worker that gets its message."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from telemetry.backend import NOWHERE, Attribute, Carrier, Kind, Origin, Span, backend

__all__ = ["NOWHERE", "Attribute", "Carrier", "Origin", "Span", "annotate", "carrier_of", "failed", "span"]

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_TRACESTATE = 512


def span(
    name: str, kind: Kind = "internal", origin: Origin = NOWHERE, **attributes: Attribute | None
) -> AbstractContextManager[Span]:
    """A span for the block, below the one under way, or else below its `origin`.

    An exception that leaves the block marks it as failed, with its reason or class only: its text may quote data.
    """
    return backend().span(name, kind, origin, attributes)


def failed(outcome: str, reason: str) -> None:
    """Marks the span under way as failed; both are words from a short list, never a text that could quote data."""
    current = backend().current()
    current.set(outcome=outcome, reason=reason)
    current.fail(reason)


def annotate(**attributes: Attribute | None) -> None:
    """Sets attributes on the span under way; never a token, a password, a connection string, or a row's data."""
    backend().current().set(**attributes)


def carrier_of(properties: Mapping[Any, object]) -> Carrier:
    """The W3C context among a message's application properties; what is none is left out.

    >>> carrier_of({b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"job": b"clicks"})
    {'traceparent': '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}
    >>> carrier_of({"traceparent": "00-1"}), carrier_of({"tracestate": "a=b"})
    ({}, {})
    """
    pairs = {_text(key): _text(value) for key, value in properties.items()}
    parent, state = pairs.get("traceparent", ""), pairs.get("tracestate", "")
    if not _TRACEPARENT.fullmatch(parent):
        return {}
    keeps_state = 0 < len(state) <= _LONGEST_TRACESTATE and state.isascii() and state.isprintable()
    return {"traceparent": parent, **({"tracestate": state} if keeps_state else {})}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", errors="replace")
    return value if isinstance(value, str) else ""
