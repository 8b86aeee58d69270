"""The history of a run as JSON lines: what was asked, injected, seen and found, each with its second."""

import json
import time
from pathlib import Path
from threading import Lock
from typing import Any


class History:
    """Written by all threads, to a file if there is one."""

    def __init__(self, file: Path | None = None) -> None:
        self._lock = Lock()
        self._began = time.monotonic()
        self._file = file
        if file is not None:
            file.write_text("")

    def write(self, event: str, **fields: Any) -> None:
        """Adds one line."""
        if self._file is None:
            return
        line = json.dumps({"t": round(time.monotonic() - self._began, 3), "event": event, **fields}, default=str)
        with self._lock, self._file.open("a") as out:
            out.write(line + "\n")
