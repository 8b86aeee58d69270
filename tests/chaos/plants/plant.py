"""What a planted fault is: a function of the product that a test build replaces, and the run that must find it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

type Build = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault that is built in, and the run that must find it: which faults of the world, which requests.

    `finds`: the kinds of findings that name it.
    """

    build_in: Build
    finds: frozenset[str]
    faults: tuple[str, ...] = ()
    loads: tuple[str, ...] = ("small", "slow", "medium", "parts", "plain", "missing")
    count: int = 0
    requests: int = 10
    over_s: float = 3.0


PLANTS: dict[str, Plant] = {}
WRONG = ("wrong blob", "wrong receipt", "undecodable")
STUCK = ("in limbo", "no blob", "no dead letter")


def plant(name: str, *finds: str, **run: Any) -> Callable[[Build], Build]:
    """Registers what builds a fault in; `finds` are the kinds of findings that name it."""

    def registered(build_in: Build) -> Build:
        PLANTS[name] = Plant(build_in, frozenset(finds), **run)
        return build_in

    return registered


# PostgreSQL takes no connection for a while.
OUTAGE: dict[str, Any] = {"faults": ("too many connections",), "count": 4, "loads": ("small", "slow")}
