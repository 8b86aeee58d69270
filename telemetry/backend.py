"""Chooses at first use where spans and metrics go: to the destinations that the environment names, or nowhere."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

from telemetry.events import event
from telemetry.types import Backend, Destination, Off

_log = logging.getLogger(__name__)
_started: Backend | None = None
_starting = Lock()


def backend() -> Backend:
    """The backend of this process. Starts at first use, so that indexing an app loads no SDK."""
    global _started  # noqa: PLW0603  # one for the process, as its environment is
    if _started is None:
        with _starting:
            _started = _started or start(os.environ)
    return _started


def start(environ: Mapping[str, str]) -> Backend:
    """The backend of a process with this environment. Off, and logged, if an exporter cannot start."""
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
    except Exception as error:  # noqa: BLE001  # exports go on whatever an exporter raises
        # Without its text, which could quote a connection string.
        event(_log, logging.WARNING, "telemetry off", wanted=_listed(wanted), error=type(error).__name__)
    return Off()


def destinations(environ: Mapping[str, str]) -> Iterator[Destination]:
    """The destinations of spans and metrics that the environment names.

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
