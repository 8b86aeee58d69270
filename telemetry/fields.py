"""The fields that every log line of one delivery carries, in whatever layer it is logged."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, object] = MappingProxyType({})
_bound = ContextVar("tailrace_fields", default=_NONE)


def fields() -> Mapping[str, object]:
    """The fields of the work that runs here: in this thread, or in the context with which it was started."""
    return _bound.get()


@contextmanager
def context(**values: object) -> Iterator[None]:
    """For the block, every line that is logged carries `values`, and what `bind` adds to them.

    >>> with context(attempt=1):
    ...     bind(job="clicks")
    ...     dict(fields())
    {'attempt': 1, 'job': 'clicks'}
    >>> dict(fields())
    {}
    """
    token = _bound.set({**_bound.get(), **_present(values)})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**values: object) -> None:
    """Adds fields to those of the innermost `context`; outside of one, nothing."""
    if _bound.get():
        _bound.set({**_bound.get(), **_present(values)})


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
