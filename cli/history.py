"""`tailrace history`: what was exported, how large it was and how long it took."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.looks import configured, counted, end, size
from cli.ranges import AsJson, JobName, Since, Until
from cli.terminal import say, table
from contracts.receipt import Receipt
from operations.coverage import Cell
from operations.looking import looking
from producer.ask import job_named


def history(
    job: JobName,
    *,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the exports of a job: rows, size, how much smaller the blob is, seconds, attempts, and what closed them.

    The last line names the slowest. attempts is - for exports of versions that did not record it.

    Example: tailrace history clicks --from 2026-01-01
    """
    now, (settings, jobs) = datetime.now(UTC), configured()
    with looking(settings, now, server=False) as seen:
        (covered,) = seen.coverages([job_named(jobs, job)], since, until)
    there = (cell for cell in covered.cells if cell.state == "there")
    exports = [(cell, receipt) for cell in there if (receipt := _receipt(cell))]
    if as_json:
        for cell, receipt in exports[-limit:]:
            print(json.dumps(fields_of(cell, receipt)))
    elif exports:
        show_history(exports, limit)
    else:
        say(f"job {job!r} has no export in this range")
    end(seen, is_well=True)


def show_history(exports: Sequence[tuple[Cell, Receipt]], limit: int) -> None:
    """Prints the newest exports, and the totals of all of them."""
    table(_HEADINGS, [_row(cell, receipt) for cell, receipt in exports[-limit:]], right=_NUMBERS, spare=_SPARE)
    say(_totals(exports))


_HEADINGS = ("window", "exported at", "rows", "size", "blob", "ratio", "seconds", "attempts", "closed by")
_SPARE = ("blob", "ratio", "exported at")
_NUMBERS = ("rows", "size", "blob", "ratio", "seconds", "attempts")


def closed_by(receipt: Receipt) -> str:
    """By what its window was proven closed."""
    closed = receipt.closed
    return "-" if closed is None else closed.by if closed.is_proven else "not proven"


def fields_of(cell: Cell, receipt: Receipt) -> dict[str, Any]:
    """One export as JSON."""
    return {
        "window": cell.start,
        "blob": cell.name,
        **numbers_of(receipt),
        "exported_at": receipt.exported_at.isoformat(),
        "closed": receipt.closed.model_dump(mode="json", exclude_none=True) if receipt.closed else None,
    }


def numbers_of(receipt: Receipt) -> dict[str, Any]:
    """The numbers of one export as JSON."""
    return {
        "rows": receipt.rows,
        "csv_bytes": receipt.csv_bytes,
        "blob_bytes": receipt.blob_bytes,
        "seconds": receipt.seconds,
        "attempts": receipt.attempts,
    }


def _receipt(cell: Cell) -> Receipt | None:
    return cell.blob.receipt if cell.blob else None


def _row(cell: Cell, receipt: Receipt) -> list[object]:
    sizes = [f"{receipt.rows:,}", size(receipt.csv_bytes), size(receipt.blob_bytes)]
    ratio = f"{receipt.csv_bytes / receipt.blob_bytes:.1f}" if receipt.blob_bytes else "-"
    exported = receipt.exported_at.strftime("%Y-%m-%d %H:%M")
    return [cell.start, exported, *sizes, ratio, f"{receipt.seconds:.1f}", receipt.attempts or "-", closed_by(receipt)]


def _totals(exports: Sequence[tuple[Cell, Receipt]]) -> str:
    rows, read = sum(one.rows for _, one in exports), sum(one.csv_bytes for _, one in exports)
    cell, slowest = max(exports, key=lambda one: one[1].seconds)
    return (
        f"{counted(len(exports), 'export')}, {counted(rows, 'row')}, {size(read)}; the slowest was {cell.start} "
        f"with {slowest.seconds:.1f} s"
    )
