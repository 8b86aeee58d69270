"""`python -m bench.compressors`: size and CPU of each gzip compressor, and of zstd, over the CSV of several tables.

A compressor gets chunks as an export does. Sizes are of zlib's level 6, CPU is of ISA-L's (level 1) on the same chunks.
"""

import time
import zlib
from collections.abc import Buffer, Callable, Iterable, Iterator
from functools import partial

import psycopg

from bench.data import Table, events, flags, load, narrow, noise, orders, prose, wide
from bench.servers import Database
from bench.tables import as_text
from worker.blob.buffers import CHUNK_BYTES
from worker.formats.codecs import compressed

_ROUNDS = 3
_TABLES = (
    events(200_000),
    orders(400_000),
    flags(200_000),
    prose(60_000),
    narrow(4_000_000),
    wide(30_000, 1024),
    noise(30_000),
)
_LEVELS = [("gzip", None), ("gzip", 1), ("gzip", 2), ("gzip", 4), ("gzip", 5), ("gzip", 6), ("zstd", 1)]


def main() -> None:
    with Database.started(over_socket=True) as database:
        header = ["table", "zlib 6", *(f"{name} {level or 'by the rows'}" for name, level in _LEVELS)]
        print(as_text(header, [_row(table, list(chunks(database.admin, table))) for table in _TABLES]))


def chunks(admin: psycopg.Connection, table: Table) -> Iterator[memoryview]:
    """The CSV of a table, in pieces as an export compresses them."""
    load(admin, table)
    with admin.cursor().copy(f"COPY {table.qualified} TO STDOUT (FORMAT csv, HEADER)") as copy:
        joined = memoryview(bytearray().join(copy))
    yield from (joined[begin : begin + CHUNK_BYTES] for begin in range(0, len(joined), CHUNK_BYTES))


def _row(table: Table, chunks: list[memoryview]) -> list[str]:
    zlib_size, zlib_cpu = _measured(partial(_zlib, chunks), rounds=1)
    found = {(name, level): _measured(partial(compressed, chunks, name, level), _ROUNDS) for name, level in _LEVELS}
    least = found["gzip", 1][1]
    cells = [f"{size / zlib_size:.3f} / {cpu / least:.1f}" for size, cpu in (found[one] for one in _LEVELS)]
    return [table.name, f"1 / {zlib_cpu / least:.1f}", *cells]


def _measured(run: Callable[[], Iterable[Buffer]], rounds: int) -> tuple[int, float]:
    """Bytes, and the least CPU seconds."""
    best = float("inf")
    size = 0
    for _ in range(rounds):
        began = time.process_time()
        size = sum(len(memoryview(data)) for data in run())
        best = min(best, time.process_time() - began)
    return size, best


def _zlib(chunks: list[memoryview]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS)
    yield from map(packer.compress, chunks)
    yield packer.flush()


if __name__ == "__main__":
    main()
