"""Pure: what a person wants to know of many windows: counts, lag, ranges of one state, totals."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from contracts.job import ExportJob
from operations.coverage import WRONG, Cell, State


@dataclass(frozen=True, slots=True)
class Summary:
    """One job at a glance. `lag_seconds`: since the end of the oldest window that is due and lacks its blob."""

    job: ExportJob
    counts: Counter[State]
    proven: int
    lag_seconds: float
    last: Cell | None

    @property
    def due(self) -> int:
        """Windows that should have a blob by now."""
        return sum(self.counts.values()) - self.counts["not-due"]

    @property
    def is_well(self) -> bool:
        """Whether nothing asks for a person."""
        return not any(self.counts[state] for state in WRONG)


def summary_of(job: ExportJob, cells: Sequence[Cell], now: datetime) -> Summary:
    """The counts of a job's cells, which are in the order of time."""
    lacking = next((cell for cell in cells if cell.state not in {"there", "not-due", "too-old", "foreign"}), None)
    return Summary(
        job,
        Counter(cell.state for cell in cells),
        sum(cell.is_proven for cell in cells),
        (now - lacking.run).total_seconds() if lacking and job.is_scheduled else 0.0,
        next((cell for cell in reversed(cells) if cell.state == "there"), None),
    )


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring windows of one state and one reason."""

    state: State
    why: str | None
    cells: Sequence[Cell]

    @property
    def start(self) -> str:
        """The first window's start."""
        return self.cells[0].start

    @property
    def end(self) -> str:
        """The last window's end."""
        return self.cells[-1].end


def ranges_of(cells: Iterable[Cell], states: Iterable[State]) -> Iterator[Range]:
    """The windows of these states as ranges, each as long as state and reason stay the same."""
    wanted, alike = set(states), lambda cell: (cell.state, cell.why)
    for (state, why), group in groupby(cells, key=alike):
        if state in wanted:
            yield Range(state, why, list(group))
