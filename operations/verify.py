"""Is a blob what its receipt says? Reads it once, in constant memory; no database is needed. docs: receipts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import cast

from contracts.output import Output
from contracts.receipt import Receipt
from operations.blobs import Blob, Blobs
from operations.parquet_rows import count_parquet
from operations.receipt_check import ReceiptCheck

NO_RECEIPT = "it has no receipt: something other than Tailrace wrote it"


@cache
def damage() -> tuple[type[Exception], ...]:
    """What decoding damaged data raises, whatever the codec. Imports the codecs."""
    from isal.isal_zlib import IsalError
    from zstandard import ZstdError

    return EOFError, OSError, ValueError, cast("type[Exception]", IsalError), ZstdError


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one blob: `problems` is empty if all is well. `rows` is None if they were not counted."""

    blob: str
    problems: tuple[str, ...] = ()
    rows: int | None = None


def verify_quickly(blobs: Blobs, blob: Blob) -> Verified:
    """Compares length and block list with the receipt, without downloading anything."""
    receipt = blob.receipt
    if receipt is None:
        return Verified(blob.name, (NO_RECEIPT,))
    problems = [*_length(blob, receipt)]
    sizes = blobs.blocks(blob.name)
    if sizes and sum(sizes) != receipt.blob_bytes:
        problems.append(f"its blocks hold {sum(sizes):,} bytes, its receipt says {receipt.blob_bytes:,}")
    return Verified(blob.name, tuple(problems))


def verify(blobs: Blobs, blob: Blob, output: Output | None = None) -> Verified:
    """Reads the whole blob: parts by their SHA-256, compression to its end, rows, and the hash of the rows.

    `output` is the form of the file if its receipt is of a version that did not record it.
    """
    return verify_pieces(blob, blobs.read(blob), output)


def verify_pieces(blob: Blob, data: Iterator[bytes], output: Output | None = None) -> Verified:
    """As `verify`, of the bytes of a blob wherever they come from."""
    receipt = blob.receipt
    if receipt is None:
        return Verified(blob.name, (NO_RECEIPT,))
    found = ReceiptCheck(receipt)
    problems = [*_length(blob, receipt)]
    form = receipt.output or output or Output()
    pieces, rows = found.checked(data), None
    try:
        rows = _read_rows(pieces, form, found)
    except damage() as error:
        problems.append(f"it does not decode to its end: {error}")
        # The rest says which parts were changed.
        for _ in pieces:
            pass
    problems += found.problems
    if rows is not None and rows != receipt.rows:
        problems.append(f"it holds {rows:,} rows, its receipt says {receipt.rows:,}")
    return Verified(blob.name, tuple(problems), rows)


def _length(blob: Blob, receipt: Receipt) -> Iterator[str]:
    if blob.size != receipt.blob_bytes:
        yield f"it has {blob.size:,} bytes, its receipt says {receipt.blob_bytes:,}"
    sums = (
        ("rows", receipt.rows, sum(part.rows for part in receipt.parts)),
        ("bytes", receipt.blob_bytes, sum(part.blob_bytes for part in receipt.parts)),
    )
    for what, total, parts in sums:
        if total != parts:
            yield f"its receipt contradicts itself: {total:,} {what}, and {parts:,} in its parts"


def _read_rows(pieces: Iterator[bytes], output: Output, found: ReceiptCheck) -> int:
    if output.format == "parquet":
        return count_parquet(pieces)
    for _ in found.text(pieces, output):
        pass
    return found.rows
