"""What host.json decides, with the defaults of the real host."""

import datetime as dt
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from emulators.functions_host.app_settings import HostError, read_json

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.serviceBus`: the number of concurrent messages, and the longest renewal of their locks."""

    max_concurrent_calls: int = field(default_factory=lambda: 16 * (os.cpu_count() or 1))
    max_auto_lock_renewal: dt.timedelta = dt.timedelta(minutes=5)
    auto_complete: bool = True


@dataclass(frozen=True)
class HostOptions:
    """host.json as this host reads it; no function_timeout means that functions may run for ever."""

    queue: QueueOptions = field(default_factory=QueueOptions)
    function_timeout: dt.timedelta | None = dt.timedelta(minutes=30)
    route_prefix: str = "api"


def read_host_json(path: Path) -> HostOptions:
    """Read host.json; raise HostError for a missing file or a value of the wrong kind, naming its place."""
    document = read_json(path)
    try:
        return _options(document)
    except (TypeError, ValueError) as error:
        raise HostError(f"{path}: {error}") from error


def _options(document: dict[str, object]) -> HostOptions:
    defaults = HostOptions()
    timeout = _text(document, "functionTimeout", "")
    return HostOptions(
        queue=_queue_options(_section(document, "extensions.serviceBus"), defaults.queue),
        function_timeout=timespan("functionTimeout", timeout) if timeout else defaults.function_timeout,
        route_prefix=_text(_section(document, "extensions.http"), "routePrefix", defaults.route_prefix).strip("/"),
    )


def _queue_options(section: dict[str, object], defaults: QueueOptions) -> QueueOptions:
    calls = section.get("maxConcurrentCalls", defaults.max_concurrent_calls)
    if not isinstance(calls, int) or isinstance(calls, bool) or calls < 1:
        raise ValueError(f"extensions.serviceBus.maxConcurrentCalls must be a whole number from 1, not {calls!r}.")
    complete = section.get("autoCompleteMessages", defaults.auto_complete)
    if not isinstance(complete, bool):
        raise TypeError(f"extensions.serviceBus.autoCompleteMessages must be true or false, not {complete!r}.")
    renewal = _text(section, "maxAutoLockRenewalDuration", "00:05:00")
    longest = timespan("extensions.serviceBus.maxAutoLockRenewalDuration", renewal)
    return QueueOptions(calls, dt.timedelta.max if longest is None else longest, complete)


def timespan(name: str, text: str) -> dt.timedelta | None:
    """Read a .NET TimeSpan, [d.]hh:mm:ss; -1 and -00:00:00.0010000 mean no limit.

    >>> timespan("functionTimeout", "01:30:00")
    datetime.timedelta(seconds=5400)
    >>> timespan("functionTimeout", "1.00:00:00")
    datetime.timedelta(days=1)
    >>> timespan("functionTimeout", "-1")
    """
    if text in {"-1", "-00:00:00.0010000"}:
        return None
    match = _TIMESPAN.fullmatch(text)
    if match is None:
        raise ValueError(f'{name} must be a duration hh:mm:ss, not "{text}".')
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _section(document: dict[str, object], dotted: str) -> dict[str, object]:
    section: object = document
    for name in dotted.split("."):
        section = section.get(name, {}) if isinstance(section, dict) else None
    if not isinstance(section, dict):
        raise TypeError(f"{dotted} must be an object.")
    return section


def _text(section: dict[str, object], name: str, default: str) -> str:
    value = section.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {value!r}.")
    return value
