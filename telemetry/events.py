"""Log events: a name and fields, readable as text and as JSON lines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import override

from telemetry.fields import fields as bound_fields
from telemetry.secrets import without_secrets

_FIELDS = "tailrace"
_BEGINNINGS = {"export started", "streams chosen"}


def event(log: logging.Logger, level: int, name: str, **fields: object) -> None:
    """Logs `name` with `fields` and those of the delivery; secrets that texts quote are left out. Pass no row's data.

    The text is logfmt, so that hosts which keep only the text (Azure Functions) keep the fields too.
    """
    if log.isEnabledFor(level):
        all_fields = {key: _without_secrets(value) for key, value in {**bound_fields(), **fields}.items()}
        log.log(level, "%s", logfmt(name, all_fields), extra={_FIELDS: {"event": name, **all_fields}})


class NamesDelivery(logging.Filter):
    """A handler's filter: adds the delivery's fields to records that are no events, such as an SDK's.

    It removes secrets from their text and their trace.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        bound = dict(bound_fields())
        if not hasattr(record, _FIELDS):
            text = without_secrets(record.getMessage())
            if bound:
                setattr(record, _FIELDS, {"event": text, "logger": record.name, **bound})
            record.msg, record.args = logfmt(text, bound), ()
        if record.exc_info and not record.exc_text:
            # Formatters print this instead of the trace.
            record.exc_text = without_secrets(logging.Formatter().formatException(record.exc_info))
        return True


def name_deliveries() -> None:
    """Makes each handler of the process add the fields of the delivery to its records."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(one, NamesDelivery) for one in handler.filters):
            handler.addFilter(NamesDelivery())


def logfmt(name: str, fields: dict[str, object]) -> str:
    """One line: the event, then key=value, with quotes around values with spaces.

    >>> logfmt("export done", {"job": "clicks", "rows": 3, "why": "two words"})
    'export done job=clicks rows=3 why="two words"'
    """
    return " ".join([name, *(f"{key}={_plain(value)}" for key, value in fields.items() if value is not None)])


def _without_secrets(value: object) -> object:
    if value is None or isinstance(value, (int, float)):
        return value
    return without_secrets(str(value))


def _plain(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return (
        json.dumps(text, ensure_ascii=False) if not text or not text.isprintable() or set(text) & set(' "=') else text
    )


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, event and its fields."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **(getattr(record, _FIELDS, None) or {"event": record.getMessage(), "logger": record.name}),
        }
        if record.exc_info:
            line["trace"] = record.exc_text or without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


class OneLineAnExport(logging.Filter):
    """A handler's filter: leaves out the events that only say that something has begun."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        fields = getattr(record, _FIELDS, None)
        return not (record.levelno <= logging.INFO and fields and fields["event"] in _BEGINNINGS)


def log_to_stderr(*, as_json: bool, level: int = logging.INFO) -> None:
    """Sends this process's events to stderr. Text is for a person: a line for each export, at its end."""
    handler = logging.StreamHandler(sys.stderr)
    if not as_json:
        handler.addFilter(OneLineAnExport())
    handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    name_deliveries()
    quiet_sdks()


def quiet_sdks() -> None:
    """Silences the SDKs' own records, such as one for every HTTP request."""
    for noisy in ("azure", "uamqp", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # These log errors that we translate and report ourselves, some with a stack.
    logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg").setLevel(logging.ERROR)
