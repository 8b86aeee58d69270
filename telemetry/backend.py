"""Where spans and metrics go: to what the environment names, at first use, or nowhere at no cost."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, Protocol

from telemetry.events import event

type Attribute = str | int | float | bool
# traceparent, and tracestate where there is one; Any, as these go among properties whose names may be bytes.
type Carrier = Mapping[Any, str]
type Kind = Literal["internal", "producer", "consumer"]
type Destination = Literal["azure-monitor", "otlp", "console"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a first span comes from: the message it is about, and the call of a host that it runs in."""

    message: Carrier = field(default_factory=dict)
    call: Carrier = field(default_factory=dict)


NOWHERE = Origin()


class Span(Protocol):
    """One step of the way of a request."""

    @property
    def trace_id(self) -> str | None:
        """32 hex digits, to find the trace by; None where telemetry is off."""

    def set(self, **attributes: Attribute | None) -> None:
        """Sets those that are not None."""

    def fail(self, reason: str) -> None:
        """Marks the step as failed."""

    def carrier(self) -> Carrier:
        """The W3C context of this span."""


class Backend(Protocol):
    """What takes spans and metrics; safe for threads."""

    def span(
        self, name: str, kind: Kind, origin: Origin, attributes: Mapping[str, Attribute | None]
    ) -> AbstractContextManager[Span]:
        """A span for the block."""

    def current(self) -> Span:
        """The innermost span under way."""

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """A value of the metric of that name."""


class NoSpan:
    """A step that nobody watches."""

    trace_id = None

    def set(self, **attributes: Attribute | None) -> None:
        """Nothing."""

    def fail(self, reason: str) -> None:
        """Nothing."""

    def carrier(self) -> Carrier:
        """Nothing."""
        return {}


_NO_SPAN = NoSpan()


class Off:
    """Takes everything and keeps nothing."""

    def span(
        self,
        name: str,  # noqa: ARG002
        kind: Kind,  # noqa: ARG002
        origin: Origin,  # noqa: ARG002
        attributes: Mapping[str, Attribute | None],  # noqa: ARG002
    ) -> AbstractContextManager[Span]:
        """Nothing, for the block."""
        return nullcontext(_NO_SPAN)

    def current(self) -> Span:
        """Nothing."""
        return _NO_SPAN

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """Nothing."""


_started: Backend | None = None
_starting = Lock()


def backend() -> Backend:
    """The one of this process. Set up at first use, not at import: an app is indexed before any SDK is loaded."""
    global _started  # noqa: PLW0603  # one for the process, as its environment is
    if _started is None:
        with _starting:
            _started = _started or start(os.environ)
    return _started


def start(environ: Mapping[str, str]) -> Backend:
    """What takes the spans and metrics of a process with this environment; trouble is logged, and turns it off."""
    wanted = tuple(destinations(environ))
    if not wanted:
        return Off()
    try:
        from telemetry.engines.otel import OpenTelemetry

        return OpenTelemetry(wanted, environ)
    except ImportError as error:
        event(
            _log,
            logging.INFO,
            "telemetry off",
            wanted=_listed(wanted),
            missing=error.name,
            install="tailrace[telemetry]",
        )
    except Exception as error:  # noqa: BLE001  # whatever an exporter meets, exports go on
        # Without its text, which could quote a connection string.
        event(_log, logging.WARNING, "telemetry off", wanted=_listed(wanted), error=type(error).__name__)
    return Off()


def destinations(environ: Mapping[str, str]) -> Iterator[Destination]:
    """Where the environment wants spans and metrics.

    >>> list(destinations({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "TAILRACE_TELEMETRY": "console"}))
    ['otlp', 'console']
    >>> list(destinations({"APPLICATIONINSIGHTS_CONNECTION_STRING": "…", "TAILRACE_TELEMETRY": "off"}))
    []
    """
    choice = environ.get("TAILRACE_TELEMETRY", "").strip().lower()
    if choice == "off" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    if environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING"):
        yield "azure-monitor"
    if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield "otlp"
    if choice == "console":
        yield "console"
    elif choice:
        event(_log, logging.WARNING, "setting ignored", TAILRACE_TELEMETRY=choice[:32], allowed="console or off")


def _listed(wanted: Sequence[Destination]) -> str:
    return ",".join(wanted)
