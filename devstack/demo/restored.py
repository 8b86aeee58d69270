"""The drill over all windows of the demo: restored, and compared with their receipts and row by row with the source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from operations.drilling import Drilling, Sample
from settings import Settings

_JOB = "bannerclicked"
_ALL = 10_000  # windows


@dataclass(frozen=True, slots=True)
class Proof:
    """How many windows the drill restored, how many of them without a problem and equal to the source, their rows."""

    windows: int
    restorable: int
    same: int
    rows: int


def prove_restorable(environ: Mapping[str, str], server: str) -> Proof:
    """Restores every window of the demo's job on the server of a conninfo string, and compares."""
    settings = Settings.from_env(environ)
    with Drilling.opened(settings, server) as drilling:
        found = drilling.drill(drilling.jobs[_JOB], Sample(_ALL), datetime.now(UTC)).found
    well = [one for one in found if not one.problems]
    same = sum((one.source.verdict, one.source.by) == ("same", "rows") for one in well)
    return Proof(len(found), len(well), same, sum(one.rows for one in well))
