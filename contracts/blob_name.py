"""Blob names: the templates of jobs.toml, and the rules that hold a name inside its container."""

import re
from collections.abc import Mapping
from datetime import date
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator

# What each allowed strftime directive distinguishes. A directive that is not here is refused:
# %y, for one, writes the same name for 1926 and 2026, and %s depends on the zone of the machine.
_DISTINGUISHES = {
    "Y": "Y", "m": "m", "d": "d", "H": "H", "M": "M", "S": "S",
    "F": "Ymd", "T": "HMS", "R": "HM", "j": "md", "G": "G", "V": "V", "u": "u",
}  # fmt: skip
# Where Tailrace writes what it has to remember; never an export.
RECORDS = "_tailrace/"
_INTEGER_FORMAT = re.compile(r"(0\d{1,2})?d?")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")


def blob_name(value: str) -> str:
    """A name that Azure takes as it is and that stays inside its container.

    >>> blob_name("events/2026/01/01.csv.gz")
    'events/2026/01/01.csv.gz'
    >>> blob_name("../other/x")
    Traceback (most recent call last):
    ValueError: a blob name cannot have an empty, '.' or '..' path segment, nor one that ends in a dot
    """
    if not 1 <= len(value) <= 1024:
        raise ValueError(f"a blob name has 1 to 1,024 characters; this one has {len(value)}")
    if _FORBIDDEN.search(value) or not value.isprintable():
        raise ValueError("a blob name cannot contain backslashes or control characters")
    if any(segment == "" or segment.endswith(".") for segment in value.split("/")):
        raise ValueError("a blob name cannot have an empty, '.' or '..' path segment, nor one that ends in a dot")
    if value.count("/") > 253:
        raise ValueError("a blob name has at most 254 path segments")
    return value


BlobName = Annotated[str, AfterValidator(blob_name)]


class TemplateError(ValueError):
    """A blob name template is invalid."""


def fields_of(template: str) -> list[tuple[str, str]]:
    """The template's placeholders as (name, format) pairs.

    >>> fields_of("{job}/{window_start:%Y/%m/%d}.csv.gz")
    [('job', ''), ('window_start', '%Y/%m/%d')]
    """
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise TemplateError(f"{error}; write {{{{ or }}}} for a brace of the name") from None
    fields = []
    for _, name, spec, conversion in parsed:
        if name is None:
            continue
        if conversion or not re.fullmatch(r"[a-z_]+", name):
            raise TemplateError(f"{{{name}}} is not a placeholder; no attributes, indexes or conversions are allowed")
        if "{" in (spec or ""):
            raise TemplateError(f"{{{name}:{spec}}} is not a placeholder; none can stand inside another")
        fields.append((name, spec or ""))
    return fields


def resolution(spec: str) -> set[str]:
    """What a time placeholder's format distinguishes, as a set of Y m d H M S (and G V u of ISO weeks).

    >>> sorted(resolution("%Y/%m/%d"))
    ['Y', 'd', 'm']
    >>> resolution("%y")
    Traceback (most recent call last):
    contracts.blob_name.TemplateError: %y is not allowed; use some of %F %G %H %M %R %S %T %V %Y %d %j %m %u
    """
    if not spec:
        return set("YmdHMS")
    found: set[str] = set()
    for directive in re.findall(r"%(.?)", spec):
        if directive not in _DISTINGUISHES:
            allowed = " ".join(f"%{key}" for key in sorted(_DISTINGUISHES))
            raise TemplateError(f"%{directive} is not allowed; use some of {allowed}")
        found |= set(_DISTINGUISHES[directive])
    if {"G", "V"} <= found:
        found.add("W")
    if {"G", "V", "u"} <= found:
        found |= {"Y", "m", "d"}
    return found


def check_integer_format(spec: str) -> None:
    """Refuses a format that would not write every whole number differently."""
    if not _INTEGER_FORMAT.fullmatch(spec):
        raise TemplateError(f"{spec!r} does not format a whole number; use none, or 012d for leading zeros")


def render(template: str, values: Mapping[str, object]) -> str:
    """The blob name of one export. Times without a format are written as 20260131T235900.

    >>> render("{job}/{window_start:%Y/%m/%d}.csv.gz", {"job": "clicks", "window_start": date(2026, 1, 31)})
    'clicks/2026/01/31.csv.gz'
    """
    filled = {name: _Basic(value) if isinstance(value, date) else value for name, value in values.items()}
    return blob_name(template.format_map(filled))


def prefix_of(template: str, values: Mapping[str, str]) -> str:
    """The common prefix of a template's names: its text up to the first placeholder without a value.

    >>> prefix_of("{job}/{{x}}/{window_start:%Y/%m/%d}.csv.gz", {"job": "clicks"})
    'clicks/{x}/'
    """
    prefix = ""
    for literal, name, _, _ in Formatter().parse(template):
        prefix += literal
        if name is not None:
            if name not in values:
                break
            prefix += values[name]
    return prefix


class _Basic:
    """A date or time with a default format, for placeholders without one."""

    def __init__(self, value: date) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        default = "%Y%m%dT%H%M%S" if hasattr(self._value, "hour") else "%Y%m%d"
        return format(self._value, spec or default)
