"""One run: requests and faults by a plan, then the proofs."""

import contextlib
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from chaos.checker import Finding, Seen, calm, growths, is_done, liveness, safety
from chaos.faults import KINDS, Injected, inject
from chaos.history import History
from chaos.load import KINDS as LOADS
from chaos.load import Ask, asks
from chaos.plan import Planned, Weighted, plan
from chaos.servers import Servers
from chaos.watch import watched
from chaos.world import Worker, World, open_world

type Mode = Literal["liveness", "safety"]


@dataclass(frozen=True)
class Options:
    """A run. `over_s`: seconds over which requests and faults are spread. `bound_s`: when all must be there after."""

    seed: int = 7
    requests: int = 200
    faults: int = 100
    over_s: float = 90.0
    bound_s: float = 120.0
    mode: Mode = "liveness"
    workers: int = 3
    host: bool = False
    plant: str | None = None
    kinds: tuple[str, ...] = tuple(KINDS)
    loads: tuple[str, ...] = tuple(LOADS)
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a run found and measured. `recoveries`: seconds by kind of fault; `settled_s`: until all was there."""

    options: Options
    findings: list[Finding]
    injected: list[Injected]
    recoveries: dict[str, list[float]]
    settled_s: float | None
    blobs: int
    dead: int
    uncommitted: int
    commits: int
    growth_mb: dict[str, float]
    seconds: float


def run(servers: Servers, directory: Path, options: Options, history: History) -> Result:
    """Starts workers, sends requests and injects faults side by side, and proves what became of all."""
    began = time.monotonic()
    with open_world(servers, directory, history, options.plant) as world, servers.transfers():
        world.add_workers(options.workers, **options.settings)
        if options.host:
            world.add_functions_host()
        with watched(world):
            sent = asks(options.seed, options.requests, options.loads)
            injected = _storm(world, sent, _planned(options), options.over_s)
            findings, settled_s, seen = _prove(world, options)
        for finding in findings:
            history.write("finding", kind=finding.kind, subject=finding.subject, says=finding.says)
        return Result(
            options,
            findings,
            injected,
            _recoveries(world, injected),
            settled_s,
            len(seen.blobs),
            sum(map(len, seen.dead.values())),
            len(seen.uncommitted),
            len(world.commits),
            growths(world),
            time.monotonic() - began,
        )


def _planned(options: Options) -> list[Planned]:
    weighted = {name: Weighted(KINDS[name].weight, KINDS[name].seconds) for name in options.kinds}
    targets = options.workers + options.host
    return plan(options.seed, options.faults, options.over_s, targets, weighted) if options.faults else []


def _storm(world: World, sent: Sequence[Ask], planned: Sequence[Planned], over_s: float) -> list[Injected]:
    """Sends and injects; returns once all faults have ended."""
    began, stop = time.monotonic(), Event()

    def send() -> None:
        for number, ask in enumerate(sent):
            stop.wait(max(0.0, began + over_s * 0.9 * number / len(sent) - time.monotonic()))
            world.send(ask)

    sending = Thread(target=send, name="send")
    sending.start()
    injected = []
    with ThreadPoolExecutor(32, thread_name_prefix="fault") as threads:
        for one in planned:
            stop.wait(max(0.0, began + one.at - time.monotonic()))
            worker = _target(world, one)
            injected.append(Injected(one.number, one.kind, _name_of(one, worker)))
            threads.submit(inject, world, worker, one.kind, one.seconds, injected[-1], stop)
    sending.join()
    return injected


def _target(world: World, planned: Planned) -> Worker:
    """Signals reach only workers of our own: a Functions host is another program."""
    able = [worker for worker in world.workers if not worker.is_host or KINDS[planned.kind].place != "process"]
    return able[planned.target % len(able)]


def _name_of(planned: Planned, worker: Worker) -> str:
    return "all" if KINDS[planned.kind].place == "server" else worker.name


def _prove(world: World, options: Options) -> tuple[list[Finding], float | None, Seen]:
    if options.mode == "safety":
        for worker in world.workers:
            worker.expected_to_end = True
            worker.process.send_signal(signal.SIGKILL)
        seen = Seen.of(world)
        return safety(world, seen), None, seen
    early = safety(world)
    world.heal()
    healed = time.monotonic()
    seen = Seen.of(world)
    while not is_done(world, seen) and time.monotonic() < healed + options.bound_s:
        time.sleep(0.5)
        seen = Seen.of(world)
    settled_s = round(time.monotonic() - healed, 1) if is_done(world, seen) else None
    late = [*safety(world, seen), *liveness(world, seen)]
    if not options.faults:
        late += calm(world)
    return list(dict.fromkeys([*early, *late])), settled_s, seen


def _recoveries(world: World, injected: Sequence[Injected]) -> dict[str, list[float]]:
    """For each kind, the seconds from a fault's end to the next commit of the worker that it struck."""
    found: dict[str, list[float]] = {}
    for one in injected:
        after = [
            commit.at - one.ended
            for name, commit in list(world.commits)
            if one.ended is not None and commit.status == 201 and commit.at > one.ended and one.target in (name, "all")
        ]
        with contextlib.suppress(ValueError):
            found.setdefault(one.kind, []).append(round(min(after), 2))
    return found
