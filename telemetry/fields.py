"""The fields that every log line of one delivery carries, whichever module logs it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, object] = MappingProxyType({})
_bound = ContextVar("tailrace_fields", default=_NONE)


def fields() -> Mapping[str, object]:
    """The fields bound in this thread, or in the context that it was started with."""
    return _bound.get()


@contextmanager
def context(**values: object) -> Iterator[None]:
    """For the block, every log line carries `values`, and those that `bind` adds.

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
    """Adds fields to those of the innermost `context`; does nothing outside of one."""
    if _bound.get():
        _bound.set({**_bound.get(), **_present(values)})


def _present(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
