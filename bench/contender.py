"""The type of a contender. It imports its packages when it runs, since two venvs share the list of contenders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.job import Job

type Steps = Callable[[Job], Iterator[None]]
B0 = "B0: psql COPY, discarded"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to export a table.

    steps: a generator that imports before its first yield, then exports, and cleans up after an optional second yield;
    only the time in between counts. command: a program to run instead. python: the interpreter, "app" or "peers".
    missing: why it cannot run in that interpreter, or None. share: the part of the rows that it exports, by which its
    time is scaled. quick, full: the runs it belongs to.
    """

    name: str
    steps: Steps | None = None
    command: Callable[[Job], list[str]] | None = None
    python: Literal["app", "peers"] = "peers"
    suffix: str = ".csv.gz"
    missing: Callable[[], str | None] = lambda: None
    share: float = 1.0
    quick: bool = False
    full: bool = True


def needs(*modules: str) -> Callable[[], str | None]:
    """A function for `missing`: names the first module that cannot be imported, and the reason."""

    def missing() -> str | None:
        for module in modules:
            try:
                __import__(module)
            except ImportError as error:
                return str(error)
        return None

    return missing
