"""`python -m bench.cold_start`: how long Azure's worker library takes to import and index function_app.

The library itself is loaded before, as in Azure. This file imports nothing of the benchmark, which would import
packages before the app does.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

SDKS = (
    "azure.servicebus",
    "azure.identity",
    "azure.storage.blob",
    "azurefunctions.extensions.bindings.servicebus",
    "psycopg",
    "psycopg_pool",
    "pydantic",
    "croniter",
    "grpc",
    "uamqp",
    "isal",
    "deflate",
    "zstandard",
)


def main() -> None:
    from emulators.functions_host.library import Library, new_loop

    loop, library, before = new_loop(), Library(), set(sys.modules)
    usage, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    loaded = loop.run_until_complete(library.load(Path.cwd()))
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    sdks = [name for name in SDKS if name in sys.modules and name not in before]
    figures = {"wall_s": wall, "cpu_s": cpu, "sdks": sdks, "modules": len(set(sys.modules) - before)}
    print(json.dumps(figures | {"functions": [function.name for function in loaded.functions]}), flush=True)
    # Ends the library's idle threads.
    os._exit(0)


if __name__ == "__main__":
    main()
