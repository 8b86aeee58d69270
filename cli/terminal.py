"""Prints results to stdout and problems to stderr; colours and wrapping only on a terminal."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from telemetry.secrets import without_secrets


def printable(text: str) -> str:
    r"""The text with all characters escaped that are invisible or could move a terminal's cursor.

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
    """Prints a title, then each field that is not None; wraps long values on a terminal only."""
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
    """Prints each problem to stderr as one line `error: …`, without the secrets that it may quote."""
    console = Console(stderr=True, highlight=False)
    for problem in problems:
        console.print(Text(f"error: {printable(without_secrets(problem))}", style="red"), soft_wrap=True)


def remark(line: str) -> None:
    """Prints a remark, neither a result nor an error, to stderr."""
    Console(stderr=True, highlight=False).print(Text(printable(line)), soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[str] = ()) -> None:
    """Prints aligned columns; those named in `right` are set right. On a terminal the last column is cut to fit."""
    console, cells = Console(highlight=False), [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]
    for number, row in enumerate([list(headings), *cells]):
        padded = [
            set_cell_size(cell, width) if heading not in right else " " * (width - cell_len(cell)) + cell
            for heading, cell, width in zip(headings, row, widths, strict=True)
        ]
        line = Text("  ".join(padded).rstrip(), style="" if number else "bold")
        if console.is_terminal:
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)


def folded_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[str] = ()) -> None:
    """Prints aligned columns; on a terminal those that do not fit follow in tables below, after the first column."""
    console = Console()
    width = console.width if console.is_terminal else 1 << 20
    widths = [max(cell_len(printable(str(cell))) for cell in column) for column in zip(headings, *rows, strict=True)]
    for number, group in enumerate(fitting(widths, width)):
        if number:
            say("")
        table([headings[place] for place in group], [[row[place] for place in group] for row in rows], right=right)


def fitting(widths: Sequence[int], width: int) -> Iterator[list[int]]:
    """Columns in groups that fit into a width, two blanks apart; each group begins with the first column.

    >>> list(fitting([4, 3, 3, 5], 14)), list(fitting([4, 3, 3, 5], 8)), list(fitting([4], 2))
    ([[0, 1, 2], [0, 3]], [[0, 1], [0, 2], [0, 3]], [[0]])
    """
    group, used = [0], widths[0]
    for place, wanted in enumerate(widths[1:], 1):
        if len(group) > 1 and used + 2 + wanted > width:
            yield group
            group, used = [0], widths[0]
        group.append(place)
        used += 2 + wanted
    yield group
