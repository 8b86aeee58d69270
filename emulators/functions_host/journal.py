"""One line on stderr for each event, `time level event key=value …`, from the host and from the worker alike."""

import datetime as dt
import json
import logging
import re
import sys
from typing import override

from azure_functions_runtime import invocation_id_cv

_PLAIN = re.compile(r"[^\s\"=]+")


def event(level: str, name: str, **fields: object) -> None:
    """Write one event to stderr in one piece, so that threads and processes do not mix their lines."""
    sys.stderr.write(line(level, name, fields) + "\n")
    sys.stderr.flush()


def line(level: str, name: str, fields: dict[str, object]) -> str:
    """Render one event, with UTC time in milliseconds; fields that are None are left out.

    >>> line("info", "function.started", {"function": "nightly", "reason": "its schedule", "id": None})[25:]
    'info function.started function=nightly reason="its schedule"'
    """
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = [f"{key}={_shown(value)}" for key, value in fields.items() if value is not None]
    return " ".join([now, level, name, *shown])


def _shown(value: object) -> str:
    """Quote what a reader could not tell apart otherwise.

    >>> _shown("two words"), _shown(3), _shown("")
    ('"two words"', '3', '""')
    """
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def render_log(name: str, level: int) -> None:
    """Have every record of `logging`, from a level on, written as an event of the given name."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(name))
    logging.basicConfig(level=level, handlers=[handler])


class _Formatter(logging.Formatter):
    def __init__(self, event_name: str) -> None:
        super().__init__()
        self._event_name = event_name

    @override
    def format(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else None
        fields = {"logger": record.name, "message": record.getMessage(), "invocation": invocation_id_cv.get()}
        return line(record.levelname.lower(), self._event_name, {**fields, "trace": trace})
