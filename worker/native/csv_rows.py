"""Edge: rowhash.c, the rows in the text of a CSV file: counted, and hashed as COPY sent them."""

import ctypes

from worker.native.library import Native, native


class _State(ctypes.Structure):
    """As in rowhash.c."""

    _fields_ = (
        ("sum", ctypes.c_uint64),
        ("rows", ctypes.c_int64),
        ("skip", ctypes.c_int64),
        ("scanned", ctypes.c_int64),
        ("quoted", ctypes.c_int32),
    )


class CsvRows:
    """Takes the text of a file piece by piece; `rows` and `row_hash` are of the rows that have ended so far."""

    def __init__(self, *, header: bool) -> None:
        """`header`: the first row holds the names, and does not count."""
        self._library: Native | None = native()
        self._state = _State(skip=int(header))
        self._header = int(header)
        self._rest = b""

    @property
    def rows(self) -> int:
        """Rows of data."""
        return max(0, int(self._state.rows) - self._header)

    @property
    def row_hash(self) -> int | None:
        """The sum of the rows' XXH3-64, modulo 2**64; None without the compiled library."""
        return int(self._state.sum) if self._library else None

    @property
    def is_whole(self) -> bool:
        """Whether the last row has ended."""
        return not self._rest

    def take(self, data: bytes) -> None:
        """Takes the next piece."""
        if self._library is None:
            self._count(data)
            return
        data = self._rest + data if self._rest else data
        taken = int(self._library.rowhash_csv(ctypes.addressof(self._state), data, len(data)))
        self._rest = data[taken:]

    def _count(self, data: bytes) -> None:
        """Counts line ends outside of quotes: between quotes every second piece is inside."""
        for number, piece in enumerate(data.split(b'"')):
            if number:
                self._state.quoted ^= 1
            if not self._state.quoted:
                self._state.rows += piece.count(b"\n")
        if data:
            self._rest = b"" if data.endswith(b"\n") and not self._state.quoted else b"x"
