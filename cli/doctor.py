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
_WIDE = 1 << 12


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
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for result in results:
        for finding in result.findings:
            says = Text(printable(finding.says))
            if finding.advice:
                says.append("\n→ " + printable(finding.advice), style="bold")
            style = _STYLES[finding.verdict]
            table.add_row(
                Text(finding.verdict, style=style), Text(result.check), Text(printable(finding.subject)), says
            )
    if console.is_terminal:
        console.print(table)
    else:
        # One line for each finding, whatever its length, and no spaces behind it.
        lines = Console(width=_WIDE, color_system=None).render_lines(table, pad=False)
        print("\n".join("".join(segment.text for segment in line).rstrip() for line in lines))
    verdicts = [finding.verdict for result in results for finding in result.findings]
    say(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in _STYLES if verdict in verdicts))
