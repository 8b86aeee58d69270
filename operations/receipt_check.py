"""Compares the bytes of a blob with its receipt while they pass through."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.output import Output
from contracts.receipt import Part, Receipt
from contracts.row_hash import written
from operations.blobs import decoded
from worker.native.csv_rows import CsvRows

_PIECE_BYTES = 256 << 10


@dataclass(slots=True)
class ReceiptCheck:
    """One reading of one blob; `problems` grows as differences are found."""

    receipt: Receipt
    problems: list[str] = field(default_factory=list)
    rows: int = 0

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

    def text(self, pieces: Iterator[bytes], output: Output) -> Iterator[bytes]:
        """The text of a CSV file, decoded; at its end it is compared, and its rows are counted in `rows`."""
        found, size = CsvRows(header=output.header), 0
        with decoded(pieces, output.compression) as file:
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                found.take(piece)
                yield piece
        self.rows = found.rows
        if not found.is_whole:
            self.problems.append("its last row is cut off")
        if size != self.receipt.csv_bytes:
            self.problems.append(f"it decodes to {size:,} bytes, its receipt says {self.receipt.csv_bytes:,}")
        if self.receipt.row_hash and found.row_hash is not None and written(found.row_hash) != self.receipt.row_hash:
            self.problems.append("its rows are not those that were exported: their hash differs")

    def _end_part(self, number: int, part: Part, digest: str) -> None:
        if digest != part.sha256:
            self.problems.append(f"part {number} of {len(self.receipt.parts)} was changed: its SHA-256 differs")
