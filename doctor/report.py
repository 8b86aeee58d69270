"""Runs every check, and reports the results as plain values."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from doctor.checks import host, identity, memory, network, postgres, queue, settings, storage, tables, windows
from doctor.examine import Result, examine
from doctor.finding import Check
from doctor.site import Site

AREAS = (settings, host, identity, network, postgres, tables, windows, memory, queue, storage)
CHECKS: tuple[Check, ...] = tuple(check for area in AREAS for check in area.CHECKS)
ROOT = Path(__file__).parents[1]


def diagnose(environ: Mapping[str, str], root: Path = ROOT) -> list[Result]:
    """The results of all checks, within half a minute."""
    return examine(CHECKS, Site(dict(environ), root))


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """{"verdict": the worst of all, "findings": [{"check", "subject", "verdict", "says", "advice"}]}."""
    findings = [
        {
            "check": result.check,
            "subject": finding.subject,
            "verdict": finding.verdict,
            "says": finding.says,
            "advice": finding.advice,
        }
        for result in results
        for finding in result.findings
    ]
    verdicts = {finding["verdict"] for finding in findings}
    worst = next((verdict for verdict in ("failed", "warning") if verdict in verdicts), "ok")
    return {"verdict": worst, "findings": findings}
