"""Is a blob what its receipt says? Reads it once, in constant memory; no database is needed. docs: receipts."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from zstandard import ZstdError

from contracts.output import Output
from contracts.receipt import Part, Receipt
from operations.blobs import Blob, Blobs, decoded
from worker.native.csv_rows import CsvRows

_PIECE_BYTES = 1 << 20
# What decoding damaged data raises, whatever the codec.
DAMAGED = (EOFError, OSError, ValueError, ZstdError)


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
        return Verified(blob.name, ("it has no receipt: something other than Tailrace wrote it",))
    problems = [*_length(blob, receipt)]
    sizes = blobs.blocks(blob.name)
    if sizes and sum(sizes) != receipt.blob_bytes:
        problems.append(f"its blocks hold {sum(sizes):,} bytes, its receipt says {receipt.blob_bytes:,}")
    return Verified(blob.name, tuple(problems))


def verify(blobs: Blobs, blob: Blob, output: Output | None = None) -> Verified:
    """Reads the whole blob: parts by their SHA-256, compression to its end, rows, and the hash of the rows.

    `output` is the form of the file if its receipt is of a version that did not record it.
    """
    receipt = blob.receipt
    if receipt is None:
        return Verified(blob.name, ("it has no receipt: something other than Tailrace wrote it",))
    found = _Reading(receipt)
    problems = [*_length(blob, receipt)]
    form = receipt.output or output or Output()
    pieces, rows = found.checked(blobs.read(blob)), None
    try:
        rows = _read_rows(pieces, form, found)
    except DAMAGED as error:
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


def _read_rows(pieces: Iterator[bytes], output: Output, found: "_Reading") -> int:
    if output.format == "parquet":
        return _parquet_rows(pieces)
    rows = CsvRows(header=output.header)
    with decoded(pieces, output.compression) as file:
        count = 0
        while piece := file.read(_PIECE_BYTES):
            count += len(piece)
            rows.take(piece)
    found.compare_text(count, rows)
    return rows.rows


def _parquet_rows(pieces: Iterator[bytes]) -> int:
    """Decodes every row group; the file is on disk meanwhile, as Parquet begins at its end."""
    import pyarrow as pa
    from pyarrow import parquet

    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)
        file.seek(0)
        try:
            return _decoded_rows(parquet.ParquetFile(file))
        except pa.ArrowException as error:
            raise ValueError(str(error).partition("\n")[0]) from error


def _decoded_rows(opened: "IO[bytes]") -> int:
    rows = 0
    for group in range(opened.num_row_groups):  # type: ignore[attr-defined]  # a ParquetFile
        rows += opened.read_row_group(group).num_rows  # type: ignore[attr-defined]
    return rows


@dataclass(slots=True)
class _Reading:
    """Compares what passes through with a receipt."""

    receipt: Receipt
    problems: list[str] = field(default_factory=list)

    def checked(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same pieces; at the end of each part its SHA-256 is compared."""
        parts = list(enumerate(self.receipt.parts, 1))
        digest, left = hashlib.sha256(), parts[0][1].blob_bytes if parts else 0
        for piece in pieces:
            rest = memoryview(piece)
            while rest and parts:
                taken = rest[:left]
                digest.update(taken)
                left -= len(taken)
                rest = rest[len(taken) :]
                if left == 0:
                    self._end_part(*parts.pop(0), digest.hexdigest())
                    digest, left = hashlib.sha256(), parts[0][1].blob_bytes if parts else 0
            yield piece
        self.problems += [f"part {number} is cut off" for number, part in parts if part.blob_bytes]

    def compare_text(self, size: int, rows: CsvRows) -> None:
        """Compares the whole text of a CSV file."""
        if not rows.is_whole:
            self.problems.append("its last row is cut off")
        if size != self.receipt.csv_bytes:
            self.problems.append(f"it decodes to {size:,} bytes, its receipt says {self.receipt.csv_bytes:,}")
        if self.receipt.row_hash and rows.row_hash is not None and f"{rows.row_hash:016x}" != self.receipt.row_hash:
            self.problems.append("its rows are not those that were exported: their hash differs")

    def _end_part(self, number: int, part: Part, digest: str) -> None:
        if digest != part.sha256:
            self.problems.append(f"part {number} of {len(self.receipt.parts)} was changed: its SHA-256 differs")
