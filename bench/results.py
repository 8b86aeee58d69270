"""bench/results/: a list of entries in NAME.json, and the machine and versions in about.NAME.json."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.summary import Entry
from devstack.postgres_programs import version

FOLDER = Path(__file__).with_name("results")


def about(skipped: Mapping[str, str], **asked: object) -> dict[str, Any]:
    """The machine, the versions, the options, and the contenders left out."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgres": version(),
        "commit": _commit(),
        **asked,
        "skipped": dict(skipped),
    }


def write(name: str, entries: list[Entry], details: Mapping[str, Any]) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(_rounded(entries), indent=1) + "\n")
    path.with_name(f"about.{name}.json").write_text(json.dumps(details, indent=1) + "\n")
    return path


def read(name: str) -> tuple[list[Entry], dict[str, Any]]:
    """The entries, and the machine and versions. Raises FileNotFoundError."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()), json.loads(path.with_name(f"about.{name}.json").read_text())


def _rounded(value: Any) -> Any:
    """Rounds to four digits after the point, more than any measurement is accurate.

    >>> _rounded([{"wall_s": 1.234567, "name": "a"}])
    [{'wall_s': 1.2346, 'name': 'a'}]
    """
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [_rounded(one) for one in value]
    return value


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=FOLDER.parent, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"
