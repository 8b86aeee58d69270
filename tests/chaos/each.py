"""Each fault alone: one worker, one export that runs; how long until its blob is there once the fault is over."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from chaos.checker import Finding, Seen, is_done, liveness, safety
from chaos.faults import KINDS, Injected, inject
from chaos.history import History
from chaos.load import asks
from chaos.servers import Servers
from chaos.watch import watched
from chaos.world import World, open_world

_BOUND_S = 150.0


@dataclass(frozen=True, slots=True)
class Alone:
    """One fault: how long it lasted, when all was there after its end (None: never), and what was found."""

    kind: str
    lasted_s: float
    recovered_s: float | None
    findings: list[Finding]


def alone(servers: Servers, directory: Path, history: History, kinds: Sequence[str], seed: int) -> Iterator[Alone]:
    """One for each kind, as it comes."""
    for number, kind in enumerate(kinds):
        with open_world(servers, directory, history) as world, watched(world):
            world.add_workers(1, TAILRACE_CONCURRENCY="1")
            yield _alone(world, kind, seed + number)


def _alone(world: World, kind: str, seed: int) -> Alone:
    """A slow export runs when the fault strikes, and further exports wait: one with blocks, one small."""
    for ask in asks(seed, 3, ("slow", "plain", "small"))[:3]:
        world.send(ask)
    deadline = time.monotonic() + 30
    while not any(world.readers[-1:]) and time.monotonic() < deadline:
        time.sleep(0.02)
    injected = Injected(0, kind, "w0")
    inject(world, world.workers[0], kind, KINDS[kind].seconds[1], injected, Event())
    assert injected.ended is not None
    ended = injected.ended
    seen = Seen.of(world)
    while not is_done(world, seen) and time.monotonic() < ended + _BOUND_S:
        time.sleep(0.2)
        seen = Seen.of(world)
    recovered = round(time.monotonic() - ended, 1) if is_done(world, seen) else None
    found = [*safety(world, seen), *liveness(world, seen)]
    if injected.error:
        found.append(Finding("not injected", kind, injected.error))
    return Alone(kind, round(ended - injected.began, 1), recovered, found)


def line_of(one: Alone) -> str:
    """One line of the table."""
    recovered = "never" if one.recovered_s is None else f"{one.recovered_s:.1f}"
    return f"{one.kind:<40}{one.lasted_s:>10.1f}{recovered:>14}{len(one.findings):>10}"
