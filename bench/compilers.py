"""`python -m bench.compilers`: what the compressor costs if zig compiled it, beside the system's compiler.

Both libraries compress the same chunks in turn, in one process. A ratio is of CPU, zig's by the system compiler's.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

from bench.compressors import chunks
from bench.data import events, orders, prose
from bench.servers import Database
from bench.tables import as_text
from worker.native import library
from worker.native.build import build
from worker.native.gzip import GzipStream
from worker.native.targets import this_machine

_ROUNDS = 9
_TABLES = (events(200_000), orders(400_000), prose(60_000))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Database.started(over_socket=True) as database:
        by_zig, by_system = (_compiled(Path(folder) / by, portable=by == "zig") for by in ("zig", "cc"))
        rows = []
        for table in _TABLES:
            read = list(chunks(database.admin, table))
            pairs = [(_seconds(by_zig, read), _seconds(by_system, read)) for _ in range(_ROUNDS)]
            ratios = sorted(zig / system for zig, system in pairs)
            rows.append([table.name, f"{median(ratios):.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}"])
        print(as_text(["table", "zig ÷ cc", "min to max"], rows))


def _compiled(folder: Path, *, portable: bool) -> library.Native:
    library.PATH = build(this_machine(), folder, portable=portable)
    return library.Native()


def _seconds(native: library.Native, read: list[memoryview]) -> float:
    began = time.process_time()
    stream = GzipStream(native)
    for chunk in read:
        stream.compress(chunk)
    stream.flush()
    return time.process_time() - began


if __name__ == "__main__":
    main()
