"""Options that several commands share: a job, a range of its windows, JSON."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import typer

from cli.completion import job_names
from cli.terminal import say
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
        print(json.dumps(counts))
    else:
        first = next(iter(counts))
        say(", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == first))


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
