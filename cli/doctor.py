"""`tailrace doctor`: what works, what does not, and what fixes it."""

import json
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.terminal import printable, say
from doctor.examine import Result
from doctor.report import as_json, diagnose

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
_SUBJECT = 20  # columns of a terminal


def doctor(
    *,
    as_json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check settings, identity, network, PostgreSQL, queue, storage and host.json; exit 1 if anything failed.

    Takes half a minute at most. It writes one blob and deletes it again, and leaves the queue as it is.
    """
    results = diagnose(os.environ)
    report = as_json(results)
    if as_json_:
        print(json.dumps(report, indent=2))
    else:
        _show(results)
    if report["verdict"] == "failed":
        raise typer.Exit(1)


def _show(results: list[Result]) -> None:
    console = Console(highlight=False)
    found = [(result.check, finding) for result in results for finding in result.findings]
    subjects = max(len(printable(finding.subject)) for _, finding in found)
    widths = [max(map(len, _STYLES)), max(len(check) for check, _ in found), subjects]
    for check, finding in found:
        subject = "" if finding.subject == check else printable(finding.subject)
        cells = [finding.verdict, check, subject, printable(finding.says)]
        if console.is_terminal:
            console.print(_row(cells, [*widths[:2], min(subjects, _SUBJECT)], _STYLES[finding.verdict]))
        else:
            print("  ".join([*map(str.ljust, cells[:-1], widths), cells[-1]]))
        if finding.advice:
            # Never wrapped here, so that a command that a terminal wraps is still copied as one line.
            console.print(Text("    → ").append(printable(finding.advice), style="bold"), soft_wrap=True)
    verdicts = [finding.verdict for _, finding in found]
    counted = ((verdicts.count(verdict), verdict) for verdict in _STYLES if verdict in verdicts)
    say(
        ", ".join(f"{count} {verdict}{'s' if verdict == 'warning' and count > 1 else ''}" for count, verdict in counted)
    )


def _row(cells: list[str], widths: list[int], style: str) -> Table:
    """One finding, wrapped into the terminal, with columns as wide as in all other rows."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(width=widths[0], style=style)
    for width in widths[1:]:
        table.add_column(width=width, overflow="fold")
    table.add_row(*map(Text, cells))
    return table
