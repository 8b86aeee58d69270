"""`tailrace verify`: compares the blobs of a job with their receipts."""

import json
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.progress import bytes_bar
from cli.ranges import AsJson, JobName, Said, Since, Until, as_ranges, show_counts
from cli.terminal import keys_of, remark, say
from contracts.job import ExportJob
from contracts.jobs_file import load_jobs
from operations.chain import Broken
from operations.proofs import as_written
from operations.verifying import JobVerification, Range
from producer.ask import job_named
from settings import Settings

_WORDS = "docs/how-to/operations.md#verifications"
_KINDS = ("damaged", "missing", "foreign", "removed", "exchanged", "rolled back", "edited", "manifest")


def _whole(head: str | None) -> str | None:
    """A part of a hash would say that the manifest was written anew."""
    if head is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", head):
        raise typer.BadParameter("it is no SHA-256: 64 hexadecimal digits, as `tailrace verify` prints it")
    return head


def verify(
    job: JobName,
    *,
    since: Since = None,
    until: Until = None,
    quick: Annotated[bool, typer.Option("--quick", help="Compare receipts and lengths, and download nothing.")] = False,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            show_default=False,
            help="An earlier head of the manifest, as noted elsewhere.",
            callback=_whole,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the blobs of a job again, and compare them with their receipts; exit 1 if anything is wrong.

    Finds blobs that are missing, foreign, truncated or changed; and, by the manifest that audits write, blobs that were
    removed, exchanged, edited or rolled back together with their receipts. Needs the container only, no database.

    Example: tailrace verify clicks --from 2026-01-01 --to 2026-02-01
    """
    settings = Settings.from_env(os.environ, postgres=False)
    wanted = Range(job_named(load_jobs(settings.jobs), job), since, until)
    verification = JobVerification(settings, wanted, datetime.now(UTC))
    with bytes_bar("verifying", 0 if quick else verification.size) as advance:
        found = verification.run(advance, quick=quick, head=head)
    _print(wanted.job, found.broken, as_json=as_json)
    counts = {"windows": found.windows, "intact": found.intact, **{kind: found.count(kind) for kind in _KINDS}}
    if found.head is None:
        show_counts(counts, as_json=as_json)
    elif as_json:
        print(json.dumps({**keys_of(counts), "listed": found.listed, "head": found.head}))
    else:
        show_counts(counts, as_json=False)
        say(f"the manifest lists {found.listed:,} of them; its head is {found.head}")
    if found.broken:
        if not as_json:
            remark(f"`tailrace export {job} --window START --again` writes a window anew; {_WORDS} says when to")
        raise typer.Exit(1)


def _print(job: ExportJob, broken: Iterable[Broken], *, as_json: bool) -> None:
    if as_json:
        for found in broken:
            print(json.dumps({"subject": found.subject, "problem": found.kind, "says": found.says}))
        return
    said = (
        Said(one.kind, as_written(job, one.subject), one.end and as_written(job, one.end), one.says) for one in broken
    )
    for line in as_ranges(said):
        say(f"{line.kind:11} {line.subject}: {line.says}")
