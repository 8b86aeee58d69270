"""`python -m bench.plot NAME` draws bench/results/NAME.png from NAME.json; needs matplotlib, and nothing of the app."""

# ruff: noqa: RUF001 - a multiplication sign is meant

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).with_name("results")
OURS, OTHERS = "#0b6e99", "#a9b4bc"


def main(name: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    entries = json.loads((FOLDER / f"{name}.json").read_text())
    figure = _growth(entries) if name == "growth" else _exports(entries)
    path = FOLDER / f"{name}.png"
    figure.savefig(path, dpi=120, bbox_inches="tight")
    print(f"drawn to bench/results/{path.name}")


def _exports(entries: list[dict[str, Any]]) -> Any:
    """Time over B0 and peak memory, the fastest first; the thin lines are least and most."""
    from matplotlib import pyplot as plt

    shown = sorted((one for one in entries if one["group"] == "exports"), key=lambda one: -one["ratio_b0"])
    figure, (time, memory) = plt.subplots(1, 2, figsize=(12, 1 + 0.36 * len(shown)), sharey=True)
    names = [one["name"] for one in shown]
    colours = [OURS if one["name"].startswith("Tailrace") else OTHERS for one in shown]
    ratios = [one["ratio_b0"] for one in shown]
    ends = [[run["ratio_b0"] for run in one["runs"]] for one in shown]
    spread = [
        [middle - min(runs) for middle, runs in zip(ratios, ends, strict=True)],
        [max(runs) - middle for middle, runs in zip(ratios, ends, strict=True)],
    ]
    time.barh(names, ratios, color=colours, xerr=spread, error_kw={"elinewidth": 1})
    time.axvline(1, color="black", linewidth=0.8)
    time.set_xlabel("time, × B0 (psql COPY, discarded)")
    memory.barh(names, [one["rss_mb"] or 0 for one in shown], color=colours)
    memory.set_xlabel("peak memory, MB")
    _tidy(time, memory)
    return figure


def _growth(entries: list[dict[str, Any]]) -> Any:
    """Throughput and memory: over rows, over parts, over workers, by shape."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(16, 7))
    for column, group in enumerate(("rows", "parts", "workers", "shapes")):
        top, bottom = axes[0][column], axes[1][column]
        found = [one for one in entries if one["group"] == group and not one["export"].startswith("B0")]
        labels = [_label(one) for one in found]
        top.bar(labels, [one["csv_mb"] / one["wall_s"] for one in found], color=OURS)
        bottom.bar(labels, [one["rss_mb"] for one in found], color=OTHERS)
        top.set_title(group)
        for axis in (top, bottom):
            axis.tick_params(axis="x", rotation=30)
    axes[0][0].set_ylabel("CSV MB/s")
    axes[1][0].set_ylabel("peak memory, MB")
    _tidy(*axes.flat)
    figure.tight_layout()
    return figure


def _label(one: dict[str, Any]) -> str:
    last: str = one["export"].rpartition(", ")[2]
    return last if one["group"] in {"parts", "workers"} else one["table"]


def _tidy(*axes: "Axes") -> None:
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(sys.argv[1])
