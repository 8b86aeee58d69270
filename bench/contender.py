"""What a contender is. Its packages are imported when it runs, since two venvs share the list of contenders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.job import Job

type Steps = Callable[[Job], Iterator[None]]
B0 = "B0: psql COPY, discarded"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to export a table.

    steps: a generator: up to its first yield it gets ready (imports), then it exports, after a second yield, if it has
    one, it cleans up; the time in between is the export's own. command: a program that is run as it is, instead.
    python: the interpreter, "app" or "peers". missing: why it cannot run here, or None; asked in that interpreter.
    share: the part of the rows that it exports, by which its time is scaled. quick, full: the runs it belongs to.
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
    """For `missing`: the first of the modules that cannot be imported, and why."""

    def missing() -> str | None:
        for module in modules:
            try:
                __import__(module)
            except ImportError as error:
                return str(error)
        return None

    return missing
