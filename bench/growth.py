"""`make bench GROWTH=1`: throughput and memory over rows, parts, workers and the shapes of rows."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bench.contender import B0
from bench.data import Table, drop, events, flags, index, load, narrow, noise, orders, prose, wide
from bench.measure import ContenderError
from bench.queue_work import Windows, work_run
from bench.registry import load_contenders
from bench.rounds import Say, run_once
from bench.servers import Database
from bench.sizes import csv_mb
from bench.summary import Entry, entry

PARTS = (1, 2, 4, 8)
WORKERS = (1, 2, 3, 4)
_WINDOWS = 16
_AS_IT_DECIDES = "Tailrace, csv.gz, as it decides"


@dataclass(frozen=True, slots=True)
class Growth:
    """rows: of the reference table (4M in a full run). is_over: whether the time is up."""

    rows: int
    rounds: int
    say: Say
    is_over: Callable[[], bool]

    def tables(self) -> list[tuple[str, Table]]:
        """Tables of about the same size, except the first ones, which grow."""
        rows = self.rows
        grown = [(f"{count:,} rows", events(count)) for count in (rows // 40, rows // 4, rows, rows * 4)]
        shapes = [
            ("1 int a row", narrow(rows * 4)),
            ("1 KB a row", wide(max(1, rows // 8), 1024)),
            ("100 KB a row", wide(max(1, rows // 800), 100 * 1024)),
            ("1 KB of noise a row", noise(max(1, rows // 8))),
            ("orders, 90 bytes a row", orders(rows)),
            ("60 columns, most of them empty", flags(max(1, rows // 2))),
            ("texts of some 500 bytes", prose(max(1, rows // 8))),
        ]
        return grown + shapes


def growth(asked: Growth, database: Database) -> Iterator[Entry]:
    """Entries with `table`, `export`, `csv_mb` and `group` (rows, parts, workers, shapes) on top of the usual."""
    for label, table in asked.tables():
        if asked.is_over():
            asked.say("the time is up")
            return
        asked.say(f"loading {label}")
        load(database.admin, table)
        is_main = table == events(asked.rows)
        group = "rows" if table.name.startswith("events") else "shapes"
        yield from _exports(asked, database, (group, label, table), PARTS if is_main else ())
        if is_main:
            yield from _workers(asked, database, (label, table))
        drop(database.admin, table)


def _exports(
    asked: Growth, database: Database, what: tuple[str, str, Table], parts: tuple[int, ...]
) -> Iterator[Entry]:
    group, label, table = what
    size, contenders = csv_mb(table, database), load_contenders()
    chosen = {B0: group, _AS_IT_DECIDES: group} | {_streams(count): "parts" for count in parts}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for number in range(1, asked.rounds + 1):
        for name in chosen:
            asked.say(f"{label}: {name}")
            try:
                run = asdict(run_once(contenders[name], table, database, number))
            except (ContenderError, EOFError) as error:
                asked.say(f"  failed: {error}")
                continue
            b0 = runs[B0][-1]["wall_s"] if name != B0 else run["wall_s"]
            runs[name].append(run | {"ratio_b0": run["wall_s"] / b0})
    for name, kind in chosen.items():
        if runs[name]:
            yield entry(f"{label}: {name}", runs[name], group=kind, table=label, export=name, csv_mb=size)


def _streams(count: int) -> str:
    return f"Tailrace, csv.gz, {count} stream{'s' * (count > 1)}"


def _workers(asked: Growth, database: Database, what: tuple[str, Table]) -> Iterator[Entry]:
    label, table = what
    windows = Windows(table, "event_id", table.rows // _WINDOWS, _WINDOWS)
    index(database.admin, table, windows.column)
    for workers in WORKERS:
        name = f"{_WINDOWS} windows, {workers} worker{'s' * (workers > 1)}"
        asked.say(f"{label}: {name}")
        runs = [work_run(windows, database, workers) for _ in range(asked.rounds)]
        about = {"table": label, "export": name, "csv_mb": runs[0]["csv_mb"], "workers": workers}
        yield entry(f"{label}: {name}", runs, group="workers", **about)
