"""Runs → entries of results: medians, with every run."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.rounds import Run

type Entry = dict[str, Any]
MEDIANS = ("wall_s", "ratio_b0", "process_s", "cpu_s", "servers_cpu_s", "rss_mb", "main_rss_mb", "out_mb")


def entry(name: str, runs: Iterable[Mapping[str, Any]], **extra: object) -> Entry:
    """One entry of the results; a figure that no run has is None.

    >>> found = entry("a", [{"wall_s": 3.0}, {"wall_s": 1.0}, {"wall_s": 1.5}], group="tool")
    >>> found["wall_s"], found["cpu_s"], found["group"], len(found["runs"])
    (1.5, None, 'tool', 3)
    """
    kept = [dict(run) for run in runs]
    return {"name": name, **{key: middle(kept, key) for key in MEDIANS}, **extra, "runs": kept}


def entries(found: Mapping[str, list[Run]], **extra: object) -> list[Entry]:
    return [entry(name, map(asdict, runs), **extra) for name, runs in found.items()]


def middle(runs: list[dict[str, Any]], key: str) -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return median(values) if values else None


def spread(found: Entry, key: str) -> tuple[float, float] | None:
    """The least and the most of a figure over the runs."""
    values = [run[key] for run in found["runs"] if run.get(key) is not None]
    return (min(values), max(values)) if values else None
