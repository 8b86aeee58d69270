"""Options that several commands share: a job, a range of its windows, JSON."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated

import typer

from cli.completion import job_names
from cli.terminal import keys_of, say
from contracts.grid import duration
from producer.ask import AskRefused

AnyJob = Annotated[
    str, typer.Argument(metavar="JOB", show_default=False, help="A job of jobs.toml.", autocompletion=job_names)
]
JobName = Annotated[
    str,
    typer.Argument(
        metavar="JOB", show_default=False, help="A job of jobs.toml that has windows.", autocompletion=job_names
    ),
]
Since = Annotated[
    str | None, typer.Option("--from", metavar="X", show_default="the oldest blob", help="Windows from X on.")
]
Until = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="Y", show_default="now, or of numbers the newest blob", help="Windows that begin before Y."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def show_counts(counts: Mapping[str, int], *, as_json: bool) -> None:
    """The last line of a command: its counts, without zeros."""
    if as_json:
        print(json.dumps(keys_of(counts)))
    else:
        say(counts_of(counts))


def counts_of(counts: Mapping[str, int]) -> str:
    """Counts in words, without zeros but the first.

    >>> counts_of({"windows": 1, "intact": 1, "missing": 0}), counts_of({"rows restored": 0, "windows": 2_000})
    ('1 window, 1 intact', '0 rows restored, 2,000 windows')
    """
    first = next(iter(counts))
    return ", ".join(
        f"{count:,} {re.sub(r'^(row|window)s', r'\1', name) if count == 1 else name}"
        for name, count in counts.items()
        if count or name == first
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a window, or of `count` windows side by side; of a thing that is no window if `end` is None."""

    kind: str
    start: str
    end: str | None
    says: str
    is_wrong: bool = True
    count: int = 1

    @property
    def subject(self) -> str:
        """The window or the range, as `missing` writes it."""
        return self.start if self.count == 1 else f"{self.start} to {self.end}, {self.count:,} windows"


def as_ranges(found: Iterable[Said]) -> Iterator[Said]:
    """Windows that follow each other, and of which the same is said, as one range.

    >>> says = [Said("missing", "0", "5", ""), Said("missing", "5", "9", ""), Said("late", "9", "12", "")]
    >>> [one.subject for one in as_ranges(says)]
    ['0 to 9, 2 windows', '9']
    """
    last: Said | None = None
    for one in found:
        if last and (one.kind, one.says, one.is_wrong, one.start) == (last.kind, last.says, last.is_wrong, last.end):
            last = replace(last, end=one.end, count=last.count + 1)
        else:
            if last:
                yield last
            last = one
    if last:
        yield last


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORT = re.compile(r"(\d{1,6}) ?([smhd])")


def length_of(text: str, option: str) -> timedelta:
    """A length of time as a person writes it. Raises AskRefused that names the option.

    >>> length_of("10m", "--every"), length_of("2 hours", "--every")
    (datetime.timedelta(seconds=600), datetime.timedelta(seconds=7200))
    """
    short = _SHORT.fullmatch(text)
    try:
        span = duration(f"{short[1]} {_UNITS[short[2]]}" if short else text)
    except ValueError:
        raise AskRefused(f"{option}: {text[:64]!r} is no length of time", advice="write 90s, 10m or 2h") from None
    assert isinstance(span, timedelta)
    return span
