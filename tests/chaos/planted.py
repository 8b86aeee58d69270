"""Checks the checker: each planted fault of the product must be found by its bounded run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.faults import KINDS
from chaos.history import History
from chaos.plants import PLANTS, Plant
from chaos.run import Options, run
from chaos.servers import Servers

_TRIES = 3  # seeds: some faults of the product show only if a fault of the world strikes at the right moment


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a plant was found: by which finding, with which seed, in how many seconds."""

    name: str
    found: str | None
    seed: int
    seconds: float


def verdicts(servers: Servers, directory: Path, names: Sequence[str], seed: int) -> Iterator[Verdict]:
    """One for each plant, as it comes."""
    for name in names:
        yield _verdict(servers, directory, name, seed)


def _verdict(servers: Servers, directory: Path, name: str, seed: int) -> Verdict:
    plant, seconds = PLANTS[name], 0.0
    for tried in range(seed, seed + _TRIES):
        result = run(servers, directory, options_of(plant, name, tried), History())
        seconds += result.seconds
        kinds = [finding.kind for finding in result.findings if finding.kind in plant.finds]
        if kinds:
            return Verdict(name, kinds[0], tried, seconds)
    return Verdict(name, None, seed, seconds)


def options_of(plant: Plant, name: str | None, seed: int) -> Options:
    """The run that must find a plant; without a name the same run of the product as it is, which must find nothing."""
    return Options(
        seed=seed,
        requests=plant.requests,
        faults=plant.count,
        over_s=max(plant.over_s, 0.5 * plant.count, sum(KINDS[kind].seconds[1] for kind in plant.faults)),
        bound_s=25 if name else 60,
        workers=2,
        plant=name,
        kinds=plant.faults or tuple(KINDS),
        loads=plant.loads,
    )


def line_of(verdict: Verdict) -> str:
    """One line of the table."""
    said = verdict.found or "NOT FOUND"
    return f"{verdict.name:<48}{said:<20}{verdict.seconds:>5.0f} s"
