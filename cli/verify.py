"""`tailrace verify`: compares the blobs of a job with their receipts."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.progress import bytes_bar
from cli.ranges import AsJson, JobName, Since, Until, show_counts
from cli.terminal import say
from contracts.job import ExportJob
from contracts.jobs_file import load_jobs
from operations.blobs import Blob, Blobs
from operations.verify import Verified, verify_quickly
from operations.verify import verify as verify_blob
from operations.windows import windows_of
from producer.ask import job_named
from settings import Settings

_PARALLEL = 4


def verify(
    job: JobName,
    *,
    since: Since = None,
    until: Until = None,
    quick: Annotated[bool, typer.Option("--quick", help="Compare receipts and lengths, and download nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the blobs of a job again, and compare them with their receipts; exit 1 if anything is wrong.

    Finds blobs that are missing, foreign, truncated or changed. Needs the container only, no database.

    Example: tailrace verify clicks --from 2026-01-01 --to 2026-02-01
    """
    settings = Settings.from_env(os.environ, postgres=False)
    wanted, blobs = job_named(load_jobs(settings.jobs), job), Blobs(settings, _PARALLEL)
    windows = list(windows_of(wanted, blobs, since, until, datetime.now(UTC)))
    missing = [window for window in windows if window.blob is None]
    foreign = [window for window in windows if window.blob and not window.is_own]
    own = [window.blob for window in windows if window.blob and window.is_own]
    with bytes_bar("verifying", 0 if quick else sum(blob.size for blob in own)) as advance:
        found = list(_verified(blobs, own, wanted, advance, quick=quick))
    bad = [one for one in found if one.problems]
    for window in missing:
        _problem(window.start, "missing", "this window has no blob", as_json=as_json)
    for window in foreign:
        _problem(window.start, "foreign", f"{window.request.blob} was not written for this window", as_json=as_json)
    for one in bad:
        _problem(one.blob, "damaged", "; ".join(one.problems), as_json=as_json)
    counts = {"windows": len(windows), "intact": len(found) - len(bad), "damaged": len(bad)}
    show_counts(counts | {"missing": len(missing), "foreign": len(foreign)}, as_json=as_json)
    if missing or foreign or bad:
        raise typer.Exit(1)


def _verified(
    blobs: Blobs, own: Sequence[Blob], job: ExportJob, advance: Callable[[int], None], *, quick: bool
) -> Iterator[Verified]:
    def one(blob: Blob) -> Verified:
        found = verify_quickly(blobs, blob) if quick else verify_blob(blobs, blob, job.output)
        advance(0 if quick else blob.size)
        return found

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="verify") as threads:
        yield from threads.map(one, own)


def _problem(subject: str, kind: str, says: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"subject": subject, "problem": kind, "says": says}))
    else:
        say(f"{kind:9}{subject}: {says}")
