"""Pure: sets of half-open spans of times or of whole numbers."""

from collections.abc import Iterable
from datetime import datetime

type Bound = datetime | int
type Spans = tuple[tuple[Bound, Bound], ...]  # disjoint, not side by side, ascending


def added(spans: Spans, start: Bound, end: Bound) -> Spans:
    """The spans and [start, end).

    >>> added(((0, 10), (20, 30)), 10, 20)
    ((0, 30),)
    """
    touching = [span for span in spans if span[0] <= end and start <= span[1]]  # type: ignore[operator]  # of one type
    others = [span for span in spans if span not in touching]
    merged = (min((start, *(one for one, _ in touching))), max((end, *(one for _, one in touching))))
    return tuple(sorted([*others, merged]))


def removed(spans: Spans, start: Bound, end: Bound) -> Spans:
    """The spans without [start, end).

    >>> removed(((0, 30),), 10, 20)
    ((0, 10), (20, 30))
    """
    pieces = [piece for low, high in spans for piece in ((low, min(high, start)), (max(low, end), high))]
    return tuple(piece for piece in pieces if piece[0] < piece[1])  # type: ignore[operator]


def covers(spans: Iterable[tuple[Bound, Bound]], start: Bound, end: Bound) -> bool:
    """Whether one of the spans holds all of [start, end).

    >>> covers(((0, 10),), 5, 10), covers(((0, 10),), 5, 11)
    (True, False)
    """
    return any(low <= start and end <= high for low, high in spans)  # type: ignore[operator]


def end_of(spans: Spans, start: Bound) -> Bound | None:
    """The end of the span that holds `start`, None if none does."""
    return next((high for low, high in spans if low <= start < high), None)  # type: ignore[operator]
