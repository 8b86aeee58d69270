"""`python -m bench.upload`: blocks alone, of bytes that come at the rate for which their number is made.

Prints wall_s, from the first byte until the last block is staged, as a JSON line. PostgreSQL has no part in it.
"""

import json
import os
import time
from contextlib import closing

from settings import Settings
from worker.blob.buffers import BYTES_PER_S, CHUNK_BYTES
from worker.blob.sink import Sink
from worker.heap import map_blocks

CHUNKS = 512


def main() -> None:
    map_blocks()
    with closing(Sink(Settings.from_env(os.environ, postgres=False))) as sink:
        name, chunk = os.environ["BENCH_BLOB"], os.urandom(CHUNK_BYTES)
        # Opens a connection, as the look-up does that begins each export.
        assert sink.find(name) is None
        with sink.upload(name, None) as upload:
            part, began = upload.part(0), time.perf_counter()
            for number in range(CHUNKS):
                time.sleep(max(0.0, began + number * CHUNK_BYTES / BYTES_PER_S - time.perf_counter()))
                part.write(chunk)
            part.stage_rest()
            part.wait()
            print(json.dumps({"wall_s": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
