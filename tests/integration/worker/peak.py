"""Exports tables one after the other; prints, after each, the most memory the process has had and has now, in bytes."""

import json
import logging
import os
import re
import sys
from pathlib import Path
from uuid import uuid4

from contracts.request import ExportRequest
from settings import Settings
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, handle_message


def main(output: str, tables: list[str]) -> None:
    logging.disable()
    with open_worker(Settings.from_env(os.environ)) as worker:
        for table in tables:
            request = ExportRequest.model_validate(
                {
                    "request_id": uuid4(),
                    "job": "j",
                    "source": {"kind": "table", "schema": "public", "table": table},
                    "blob": table,
                    "run": "2026-02-01T00:00:00Z",
                    "output": json.loads(output),
                    "streams": 1,
                }
            )
            settled = handle_message(Delivery(request.to_body(), table, 1, 1), worker, Cancellation())
            print(settled, _memory("VmHWM"), _memory("VmRSS"))  # noqa: T201


def _memory(name: str) -> int:
    # Not getrusage: what that says begins with the memory of the process which started this one.
    (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes) * 1024


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
