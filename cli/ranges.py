"""Options that several commands share: a job, a range of its windows, JSON."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from cli.completion import job_names
from cli.terminal import say

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
