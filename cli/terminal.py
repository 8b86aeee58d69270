"""What is printed: results on stdout, complaints on stderr; colours and wrapping only on a terminal."""

import json
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.text import Text


def printable(text: str) -> str:
    r"""The text with everything escaped that could move a terminal's cursor, or hide.

    >>> print(printable("a\x1b[2Jb\nc é"))
    a\x1b[2Jb\nc é
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def say(*lines: str) -> None:
    """Prints each line to stdout."""
    console = Console(highlight=False)
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)


def record(title: str, fields: Mapping[str, object]) -> None:
    """Prints a title, and under it each field that is not None; long values are wrapped on a terminal only."""
    console = Console(highlight=False)
    if title:
        console.print(Text(printable(title), style="bold"), soft_wrap=True)
    shown = {key: Text(printable(str(value))) for key, value in fields.items() if value is not None}
    margin = 4 + max(map(len, shown), default=0) + 2
    width = max(20, console.width - margin) if console.is_terminal else 1 << 20
    for key, value in shown.items():
        label = f"    {key}".ljust(margin)
        for line in value.wrap(console, width, overflow="fold"):
            console.print(Text(label) + line, soft_wrap=True)
            label = " " * margin


def fields_or_json(fields: Mapping[str, object], *, as_json: bool) -> None:
    """Prints fields that are not None: as one JSON object, or a line each, whole numbers with separators."""
    if as_json:
        print(json.dumps({key: value for key, value in fields.items() if value is not None}))
    else:
        record("", {key: f"{value:,}" if isinstance(value, int) else value for key, value in fields.items()})


def complain(problems: Iterable[str]) -> None:
    """Prints each problem to stderr as one line `error: …`."""
    console = Console(stderr=True, highlight=False)
    for problem in problems:
        console.print(Text(f"error: {printable(problem)}", style="red"), soft_wrap=True)


def remark(line: str) -> None:
    """Prints to stderr what is neither a result nor an error."""
    Console(stderr=True, highlight=False).print(Text(printable(line)), soft_wrap=True)
