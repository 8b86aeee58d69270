"""`make bench`: see --help, and docs/explanation/performance.md for how to read its tables."""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench import results, tables
from bench.contender import B0, Contender
from bench.data import Table, events, load
from bench.growth import Growth, growth
from bench.measure import ContenderError
from bench.others import others
from bench.registry import load_contenders
from bench.rounds import PEERS_PYTHON, ROOT, Run, missing, run_rounds
from bench.servers import Database
from bench.sizes import sizes
from bench.summary import Entry, entries, entry
from devstack.process import ProcessError

FULL_ROWS = 4_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line; `minutes` limits the rounds of the large table, and those of growth."""

    rows: int
    rounds: int
    minutes: float
    mode: str
    only: tuple[str, ...]
    over_socket: bool

    @property
    def deadline(self) -> float:
        return time.monotonic() + self.minutes * 60


def main() -> int:
    asked = _asked()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found, about = _measured(asked)
    except (ProcessError, ContenderError, RuntimeError) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    name = "growth" if asked.mode == "growth" else "latest"
    path = results.write(name, found, about)
    print(tables.page(found))
    say(f"written to {path.relative_to(ROOT)}")
    _plot(name)
    return 0


def say(line: str) -> None:
    """Prints progress to stderr: stdout is for the tables."""
    print(line, file=sys.stderr, flush=True)


def _asked() -> Asked:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", dest="mode", action="store_const", const="quick", default="full")
    mode.add_argument("--growth", dest="mode", action="store_const", const="growth")
    parser.add_argument("--rows", type=int, default=FULL_ROWS, help="rows of the large table; default 4,000,000")
    parser.add_argument("--rounds", type=int, help="default 5, and 3 with --quick, 2 with --growth")
    parser.add_argument("--minutes", type=float, help="default 45, and 1.75 with --quick, 30 with --growth")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="contenders with TEXT in the name")
    parser.add_argument("--socket", action="store_true", help="connect by Unix socket instead of TCP, B0 too")
    given = parser.parse_args()
    rounds, minutes = {"full": (5, 45), "quick": (3, 1.75), "growth": (2, 30)}[given.mode]
    return Asked(
        rows=given.rows,
        rounds=given.rounds or rounds,
        minutes=given.minutes or minutes,
        mode=given.mode,
        only=tuple(given.only),
        over_socket=given.socket,
    )


def _measured(asked: Asked) -> tuple[list[Entry], dict[str, Any]]:
    skipped = missing()
    for name, reason in skipped.items():
        say(f"skipped: {name}: {reason}")
    connection = "Unix socket" if asked.over_socket else "TCP on 127.0.0.1"
    about = results.about(skipped, rows=asked.rows, rounds=asked.rounds, mode=asked.mode, connection=connection)
    with Database.started(over_socket=asked.over_socket) as database:
        if asked.mode == "growth":
            deadline = asked.deadline
            wanted = Growth(asked.rows, asked.rounds, say, lambda: time.monotonic() > deadline)
            return list(growth(wanted, database)), about
        found = _large_table(
            asked, database, [one for one in _chosen(asked) if one.name not in skipped], about["skipped"]
        )
        if asked.mode == "full" and not asked.only:
            found += list(others(database, asked.rounds, say))
        return found, about


def _chosen(asked: Asked) -> list[Contender]:
    """B0, then the contenders chosen by name, or those of the mode."""
    contenders = load_contenders()
    if asked.only:
        named = [one for one in contenders.values() if any(text in one.name for text in asked.only)]
    else:
        named = [one for one in contenders.values() if (one.quick if asked.mode == "quick" else one.full)]
    return [contenders[B0], *(one for one in named if one.name != B0)]


def _large_table(asked: Asked, database: Database, contenders: list[Contender], failed: dict[str, str]) -> list[Entry]:
    """Adds the contenders left out to `failed`, with the reasons."""
    table = events(asked.rows)
    say(f"loading {asked.rows:,} rows")
    load(database.admin, table)
    runs: dict[str, list[Run]] = {one.name: [] for one in contenders}
    options = {"rounds": asked.rounds, "deadline": asked.deadline, "say": say}
    for name, run in run_rounds(contenders, table, database, **options):  # type: ignore[arg-type]
        if isinstance(run, Exception):
            failed[name] = str(run)
        else:
            runs[name].append(run)
    found = entries({name: done for name, done in runs.items() if done}, group="exports")
    if asked.mode == "full":
        found += _sizes(table, database)
    return found


def _sizes(table: Table, database: Database) -> Iterator[Entry]:
    say("sizes")
    csv_mb, packed = sizes(table, database)
    yield entry("the CSV itself", [{"out_mb": csv_mb}], group="sizes")
    yield entry("zlib level 6 of it", [packed], group="sizes")


def _plot(name: str) -> None:
    """Draws with the peers' interpreter, which has matplotlib if it could be installed."""
    argv = [str(PEERS_PYTHON), "-m", "bench.plot", name]
    drawn = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    said = drawn.stdout if drawn.returncode == 0 else f"no plot: {drawn.stderr.strip().rpartition(chr(10))[2]}"
    say(said.strip())


if __name__ == "__main__":
    sys.exit(main())
