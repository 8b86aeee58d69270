"""Spans. The W3C context of a message joins the spans of its producer to those of the worker that receives it."""

from contextlib import AbstractContextManager
from typing import Any

from contracts.message import Carrier, trace_of
from telemetry.backend import backend
from telemetry.types import NOWHERE, Attribute, Kind, Origin, Span

__all__ = ["NOWHERE", "Attribute", "Carrier", "Origin", "Span", "annotate", "failed", "origin_of", "span"]


def span(
    name: str, kind: Kind = "internal", origin: Origin = NOWHERE, **attributes: Attribute | None
) -> AbstractContextManager[Span]:
    """A span for the block, below the open one, or else below its `origin`.

    An exception that leaves the block marks it as failed, with its reason or class only: its text may quote data.
    """
    return backend().span(name, kind, origin, attributes)


def origin_of(context: Any) -> Origin:
    """The trace that the Functions host began for a call; `context` is the call's func.Context."""
    call = context.trace_context
    return Origin(call=trace_of({"traceparent": call.trace_parent, "tracestate": call.trace_state}))


def failed(outcome: str, reason: str) -> None:
    """Marks the open span as failed; both are words from a short list, never a text that could quote data."""
    current = backend().current()
    current.set(outcome=outcome, reason=reason)
    current.fail(reason)


def annotate(**attributes: Attribute | None) -> None:
    """Sets attributes on the open span; never a token, a password, a connection string, or a row's data."""
    backend().current().set(**attributes)
