"""Entries → tables of text, for the terminal and for docs/explanation/performance.md."""

# ruff: noqa: RUF001, RUF002 - multiplication signs and dashes are meant

from collections.abc import Callable, Sequence

from bench.summary import Entry, spread

type Row = list[str]

EXPORTS = [
    "export",
    "s",
    "min–max",
    "× B0",
    "min–max",
    "process s",
    "CPU s",
    "servers' CPU s",
    "RSS MB",
    "out MB",
    "runs",
]
SIZES = ["what", "MB"]
RATES = ["what", "s", "min–max", "a second", "CPU s", "RSS MB", "rounds"]
GROUPS = ("rows", "parts", "workers", "shapes")
GROWTH = ["table", "export", "CSV MB", "s", "× B0", "CSV MB/s", "CPU s", "RSS MB", "out MB"]


def page(entries: Sequence[Entry], form: Callable[[Row, list[Row]], str] | None = None) -> str:
    """All tables that the entries fill, one after the other; `form` is as_text or as_markdown."""
    write = form or as_text
    kinds = [("exports", EXPORTS, export_rows), ("sizes", SIZES, size_rows), ("others", RATES, rate_rows)]
    written = [
        write(header, rows([one for one in entries if one["group"] == group]))
        for group, header, rows in kinds
        if any(one["group"] == group for one in entries)
    ]
    grown = [one for one in entries if one["group"] in GROUPS]
    return "\n\n".join([*written, *([write(GROWTH, growth_rows(grown))] if grown else [])])


def export_rows(entries: Sequence[Entry]) -> list[Row]:
    return [
        [
            found["name"],
            number(found["wall_s"], 2),
            between(found, "wall_s"),
            number(found["ratio_b0"], 2),
            between(found, "ratio_b0"),
            number(found["process_s"], 2),
            number(found["cpu_s"], 2),
            number(found["servers_cpu_s"], 1),
            number(found["rss_mb"], 0),
            number(found["out_mb"], 1),
            str(len(found["runs"])),
        ]
        for found in entries
    ]


def size_rows(entries: Sequence[Entry]) -> list[Row]:
    return [[found["name"], number(found["out_mb"], 1)] for found in entries]


def rate_rows(entries: Sequence[Entry]) -> list[Row]:
    return [
        [
            found["name"],
            number(found["wall_s"], 2),
            between(found, "wall_s"),
            number(found.get("per_s"), 0),
            number(found["cpu_s"], 2),
            number(found["rss_mb"], 0),
            str(len(found["runs"])),
        ]
        for found in entries
    ]


def growth_rows(entries: Sequence[Entry]) -> list[Row]:
    return [
        [
            found["table"],
            found["export"],
            number(found["csv_mb"], 0),
            number(found["wall_s"], 2),
            number(found["ratio_b0"], 2),
            number(found["csv_mb"] / found["wall_s"], 0),
            number(found["cpu_s"], 2),
            number(found["rss_mb"], 0),
            number(found["out_mb"], 1),
        ]
        for found in entries
    ]


def number(value: float | None, digits: int) -> str:
    """
    >>> number(3.14159, 2), number(None, 2), number(1234.5, 0)
    ('3.14', '–', '1,234')
    """
    return "–" if value is None else f"{value:,.{digits}f}"


def between(found: Entry, key: str) -> str:
    """
    >>> between({"runs": [{"wall_s": 1.0}, {"wall_s": 2.5}]}, "wall_s")
    '1.00–2.50'
    """
    ends = spread(found, key)
    return "–" if ends is None else f"{ends[0]:.2f}–{ends[1]:.2f}"


def as_text(header: Row, rows: list[Row]) -> str:
    """A table with the first column left-aligned, and numbers right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [_line(row, widths) for row in (header, *rows)]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def as_markdown(header: Row, rows: list[Row]) -> str:
    r"""
    >>> print(as_markdown(["what", "s"], [["psql | gzip", "1.00"]]))
    | what | s |
    |---|---:|
    | psql \| gzip | 1.00 |
    """
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    escaped = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([escaped[0], escaped[1].replace(" ", ""), *escaped[2:]])


def _line(row: Row, widths: list[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
