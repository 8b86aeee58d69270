"""The drill over all windows of the demo: restored, hashed, and compared with receipts and source."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.jobs_file import load_jobs
from operations.blobs import Blobs
from operations.drill import drill
from operations.restoring import writing_session
from operations.windows import windows_of
from settings import Settings

_JOB = "bannerclicked"


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
    jobs, blobs = load_jobs(settings.jobs), Blobs(settings)
    windows = [one for one in windows_of(jobs[_JOB], blobs, None, None, datetime.now(UTC)) if one.is_own]
    with writing_session(settings, server) as connection:
        found = list(drill(connection, blobs, windows, jobs))
    well = [one for one in found if not one.problems]
    return Proof(len(found), len(well), sum(one.source == "same" for one in well), sum(one.rows for one in well))
