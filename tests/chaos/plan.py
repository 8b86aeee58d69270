"""Pure: the faults of a run by its seed: which, where, when, for how long."""

import random
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault. `at` is seconds from the begin of the run; `target` counts workers."""

    number: int
    at: float
    kind: str
    target: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Weighted:
    """How often a kind is drawn, and how long it may last."""

    weight: int
    seconds: tuple[float, float]


def plan(seed: int, count: int, over_s: float, targets: int, kinds: Mapping[str, Weighted]) -> list[Planned]:
    """`count` faults spread over `over_s` seconds: each kind once, as far as they reach, then by weight.

    >>> kinds = {"a": Weighted(1, (0.0, 1.0)), "b": Weighted(1, (0.0, 0.0))}
    >>> plan(7, 4, 10, 3, kinds) == plan(7, 4, 10, 3, kinds), plan(7, 4, 10, 3, kinds) == plan(8, 4, 10, 3, kinds)
    (True, False)
    """
    rng = random.Random(f"faults {seed}")  # noqa: S311  # reproducible, not secret
    names = rng.sample(list(kinds), len(kinds))[:count]
    names += rng.choices(list(kinds), [kind.weight for kind in kinds.values()], k=count - len(names))
    rng.shuffle(names)
    times = sorted(rng.uniform(0, over_s) for _ in names)
    return [
        Planned(number, at, kind, rng.randrange(targets), round(rng.uniform(*kinds[kind].seconds), 2))
        for number, (at, kind) in enumerate(zip(times, names, strict=True))
    ]
