"""Pure: what an export is called: its request id, and for many windows at once their ids and blob names."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from hashlib import sha1
from typing import Any
from uuid import UUID, uuid5

from pydantic_core import to_json

from contracts.job import ExportJob
from contracts.window import Window
from producer.windows import GridWindow

# Never to change: another value would give every request a new id, and every blob a second export.
_NAMESPACE = UUID("6f0b8a52-1d3e-5c74-9a86-0f6f5d1b7c21")
# The bits of a UUID that say of which kind it is: version 5.
_KIND_MASK, _KIND = (0xC000 << 48) | (0xF000 << 64), (0x8000 << 48) | (5 << 76)


def request_id(job: ExportJob, what: Window | datetime) -> UUID:
    """One id for a job, window or run, and revision, however often it is asked for. Receipts and messages carry it."""
    name = what.isoformat() if isinstance(what, datetime) else what.model_dump_json()
    return uuid5(_NAMESPACE, f"{job.name}\n{job.revision}\n{name}")


def identified(job: ExportJob, windows: Iterable[GridWindow]) -> Iterator[tuple[GridWindow, str, int]]:
    """Each window with its blob's name and its request id as a number: those of `blob_for` and `request_id`, faster.

    It hashes the JSON of a window that pydantic would write, without making the window.
    """
    assert job.window is not None
    name, written = job.namer(), _written(job.window.type)
    column = to_json(job.window.column).decode()
    head = f'{job.name}\n{job.revision}\n{{"column":{column},"type":"{job.window.type}","start":'
    hashed = sha1(_NAMESPACE.bytes + head.encode(), usedforsecurity=False)
    last, text = None, b""
    for window in windows:
        # Windows stand side by side: the end of one is the start of the next.
        start = text if window.start is last else written(window.start, window.opened_at)
        last, text = window.end, written(window.end, window.closed_at)
        one = hashed.copy()
        one.update(b'%b,"end":%b}' % (start, text))
        yield window, name(window), int.from_bytes(one.digest()[:16]) & ~_KIND_MASK | _KIND


def _written(kind: str) -> Callable[[Any, Any], bytes]:
    """Gives a bound as JSON holds it, from the bound and its instant."""
    match kind:
        case "timestamptz":
            return lambda _, instant: b'"%bZ"' % _iso(instant.replace(tzinfo=None))
        case "timestamp":
            return lambda bound, _: b'"%b"' % _iso(bound.replace(tzinfo=None))
        case "date":
            return lambda bound, _: b'"%b"' % _iso(bound)
        case _:
            return lambda bound, _: b"%d" % bound


def _iso(moment: date) -> bytes:
    return moment.isoformat().encode()
