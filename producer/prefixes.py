"""Pure: prefixes that list the wanted names and few others."""

import os
import re
from collections.abc import Collection

# The most listings for the names of one job; each costs a round trip.
_MOST = 8
# Listing this many names for each wanted one costs about as much as another round trip.
_SLACK = 10


def prefixes_of(names: Collection[str]) -> list[tuple[str, list[str]]]:
    """The names in groups, each with the prefix to list it by.

    A group is split where its names first differ, as long as the digits from there on could name many more blobs than
    are wanted: days around a month's end are listed by their tens, instead of the whole year.

    >>> days = [f"a/2026/01/{day}.gz" for day in (29, 30, 31)] + [f"a/2026/02/{day:02}.gz" for day in (1, 2)]
    >>> [prefix for prefix, _ in prefixes_of(days)]
    ['a/2026/01/29.gz', 'a/2026/01/3', 'a/2026/02/0']
    """
    groups = [sorted(names)] if names else []
    waiting = list(groups)
    while waiting:
        group = min(waiting, key=lambda one: len(_common(one)))
        waiting.remove(group)
        parts = _split(group)
        if len(parts) < 2 or len(groups) + len(parts) - 1 > _MOST or _could_name(group) <= _SLACK * len(group):
            continue
        groups.remove(group)
        groups += parts
        waiting += parts
    return [(_common(group), group) for group in sorted(groups)]


def _common(group: list[str]) -> str:
    return os.path.commonprefix(group)  # noqa: RUF071  # a prefix of names, not of paths


def _split(group: list[str]) -> list[list[str]]:
    """Splits by the first character in which the names differ."""
    at = len(_common(group))
    parts: dict[str, list[str]] = {}
    for name in group:
        parts.setdefault(name[at : at + 1], []).append(name)
    return list(parts.values())


def _could_name(group: list[str]) -> int:
    """How many names could follow the common prefix: ten to the power of the digits after it."""
    rest = group[0][len(_common(group)) :]
    return int(10 ** min(18, len(re.findall(r"\d", rest))))
