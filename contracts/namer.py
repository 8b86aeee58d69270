"""The blob names of one template, for many windows.

strftime and a second check of each name would cost more than all else that is said of a window.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from string import Formatter
from typing import Any, Protocol

from contracts.blob_name import render

_WHOLE = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_FIELDS = {"Y": ("%04d", "year"), "m": ("%02d", "month"), "d": ("%02d", "day")}
_CLOCK = {"H": ("%02d", "hour"), "M": ("%02d", "minute"), "S": ("%02d", "second")}


class Bounds(Protocol):
    """A window's bounds, as blob names write them."""

    @property
    def start(self) -> Any:
        """Where it begins."""

    @property
    def end(self) -> Any:
        """Where it ends."""


type Namer = Callable[[Bounds], str]


def namer(template: str, fixed: Mapping[str, str], kind: str) -> Namer:
    """Gives what `render` gives, for the bounds of windows of a kind; check_template has accepted the template.

    >>> from types import SimpleNamespace
    >>> from datetime import date
    >>> name = namer("{job}/{window_start:%Y/%m}.csv.gz", {"job": "clicks"}, "date")
    >>> name(SimpleNamespace(start=date(2026, 1, 31), end=date(2026, 2, 1)))
    'clicks/2026/01.csv.gz'
    """
    pieces = list(_pieces(template, fixed, kind))
    if None in pieces:
        return lambda window: render(template, {**fixed, "window_start": window.start, "window_end": window.end})
    pattern = "".join(piece[0] for piece in pieces if piece)
    paths = [piece[1] for piece in pieces if piece and piece[1]]
    if not paths:
        return lambda _: pattern % ()
    values = attrgetter(*paths)
    return lambda window: pattern % values(window)


def _pieces(template: str, fixed: Mapping[str, str], kind: str) -> Iterator[tuple[str, str] | None]:
    """The template as printf formats, each with the path of its value or ''; None for what printf cannot write."""
    for literal, name, spec, _ in Formatter().parse(template):
        yield literal.replace("%", "%%"), ""
        if name is None:
            continue
        if name in fixed:
            yield fixed[name].replace("%", "%%"), ""
        else:
            bound = name.removeprefix("window_")
            yield from _integer(spec or "", bound) if kind == "integer" else _time(spec or "", bound, kind)


def _integer(spec: str, bound: str) -> Iterator[tuple[str, str]]:
    yield f"%{spec.removesuffix('d')}d", bound


def _time(spec: str, bound: str, kind: str) -> Iterator[tuple[str, str] | None]:
    spec = spec or ("%Y%m%d" if kind == "date" else "%Y%m%dT%H%M%S")
    for short, whole in _WHOLE.items():
        spec = spec.replace(f"%{short}", whole)
    # A day has no clock; strftime writes midnight.
    clock = dict.fromkeys(_CLOCK, ("00", "")) if kind == "date" else _CLOCK
    for directive, text in re.findall(r"%(.)|([^%]+)", spec):
        if text:
            yield text, ""
        else:
            written = {**_FIELDS, **clock}.get(directive)
            yield (written[0], f"{bound}.{written[1]}" if written[1] else "") if written else None
