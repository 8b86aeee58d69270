"""The fields that every line carries which is logged for one delivery, in whatever layer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, object] = MappingProxyType({})
_kept = ContextVar("tailrace_fields", default=_NONE)


def fields() -> Mapping[str, object]:
    """What is kept for the work that runs here: in this thread, or in the context that it was started with."""
    return _kept.get()


@contextmanager
def kept(**values: object) -> Iterator[None]:
    """For the block, every line that is logged carries `values`, and what `keep` adds to them.

    >>> with kept(attempt=1):
    ...     keep(job="clicks")
    ...     dict(fields())
    {'attempt': 1, 'job': 'clicks'}
    >>> dict(fields())
    {}
    """
    token = _kept.set({**_kept.get(), **_present(values)})
    try:
        yield
    finally:
        _kept.reset(token)


def keep(**values: object) -> None:
    """Adds to what the block under way keeps; a block alone takes it off again."""
    if _kept.get():
        _kept.set({**_kept.get(), **_present(values)})


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
