"""Prints results to stdout and problems to stderr; colours and wrapping only on a terminal."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from telemetry.secrets import without_secrets

_GAP, _INDENT = "  ", "    "
_NARROW = 24  # a last column with less space is printed below the others


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
            console.print(Text((label + line.plain).rstrip()), soft_wrap=True)
            label = " " * margin


def keys_of[Value](fields: Mapping[str, Value]) -> dict[str, Value]:
    """Fields of a JSON object, whose keys have no blanks.

    >>> keys_of({"read again": 1})
    {'read_again': 1}
    """
    return {name.replace(" ", "_"): value for name, value in fields.items()}


def fields_or_json(fields: Mapping[str, object], *, as_json: bool) -> None:
    """Prints fields that are not None: as one JSON object, or a line each, whole numbers with separators."""
    if as_json:
        print(json.dumps({key: value for key, value in keys_of(fields).items() if value is not None}))
    else:
        record("", {key: f"{value:,}" if isinstance(value, int) else value for key, value in fields.items()})


def complain(problems: Iterable[str]) -> None:
    """Prints each problem to stderr as `error: …`, without the secrets that it may quote; wraps on a terminal only."""
    for problem in problems:
        _to_stderr(Text(f"error: {printable(without_secrets(problem))}", style="red"))


def remark(line: str) -> None:
    """Prints a remark, neither a result nor an error, to stderr; wraps on a terminal only."""
    _to_stderr(Text(printable(line)))


def _to_stderr(text: Text) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(text, soft_wrap=not console.is_terminal)


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Collection[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Prints aligned columns; those named in `right` are set right.

    On a terminal those named in `spare` are left out, in this order, until all fits; then the last column wraps in
    itself.
    """
    console, cells = Console(highlight=False), [[printable(str(cell)) for cell in row] for row in rows]
    headings, *cells = without_spare([headings, *cells], spare, console.width if console.is_terminal else 1 << 20)
    widths = _widths(headings, cells)
    margin = sum(widths[:-1]) + len(_GAP) * len(widths[:-1])
    for number, row in enumerate([list(headings), *cells]):
        padded = [
            set_cell_size(cell, width) if heading not in right else " " * (width - cell_len(cell)) + cell
            for heading, cell, width in zip(headings, row, widths, strict=True)
        ]
        style = "" if number else "bold"
        for line in _hanging(_GAP.join(padded[:-1]), padded[-1].rstrip(), margin, console):
            console.print(Text(line.rstrip(), style=style), soft_wrap=True)


def without_spare(lines: Iterable[Sequence[str]], spare: Sequence[str], width: int) -> list[list[str]]:
    """Headings and rows without those columns of `spare`, in this order, that have to go for the rest to fit.

    >>> without_spare([["a", "bb", "cc"], ["1", "2", "3"]], ["bb", "cc"], 6)
    [['a', 'cc'], ['1', '3']]
    """
    left = [list(line) for line in lines]
    for name in spare:
        if name in left[0] and sum(_widths(left[0], left[1:])) + len(_GAP) * (len(left[0]) - 1) > width:
            place = left[0].index(name)
            left = [[*row[:place], *row[place + 1 :]] for row in left]
    return left


def _widths(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]


def _hanging(first: str, last: str, margin: int, console: Console) -> Iterator[str]:
    """The lines of a row: its first columns, and beside or below them the last one, as wide as the terminal leaves."""
    if not console.is_terminal or margin + cell_len(last) <= console.width:
        yield _GAP.join([first, last]) if first else last
        return
    if console.width - margin < _NARROW:
        yield first
        first, margin = "", len(_INDENT)
    for piece in Text(last).wrap(console, console.width - margin, overflow="fold"):
        yield (first + _GAP if first else " " * margin) + piece.plain
        first = ""


def folded_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Collection[str] = ()) -> None:
    """Prints aligned columns; on a terminal those that do not fit follow in tables below, after the first column."""
    console = Console()
    width = console.width if console.is_terminal else 1 << 20
    widths = [max(cell_len(printable(str(cell))) for cell in column) for column in zip(headings, *rows, strict=True)]
    for number, group in enumerate(fitting(widths, width)):
        if number:
            say("")
        shown = [[row[place] for place in group] for row in rows]
        # A row of sums has nothing to say of some columns.
        table([headings[place] for place in group], [row for row in shown if any(row[1:])], right=right)


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
