"""Workers of both kinds as whole processes, and the container as readers of exports see it."""

import gzip
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import ContainerClient

from contracts.receipt import Receipt
from devstack.process import Launch, Process, start

ROOT = Path(__file__).parents[2]
LOCK_S = 5  # renewed at half of it, so that a busy machine may be late


@dataclass(frozen=True)
class Blobs:
    """The container, as readers of exports see it."""

    container: ContainerClient

    def names(self) -> list[str]:
        return sorted(blob.name for blob in self.container.list_blobs())

    def receipt(self, name: str) -> Receipt:
        receipt = Receipt.from_metadata(self.container.get_blob_client(name).get_blob_properties().metadata)
        assert receipt is not None
        return receipt

    def rows(self, name: str) -> int:
        """Rows in the file itself."""
        return gzip.decompress(self.container.download_blob(name).readall()).count(b"\n") - 1


class Hosts:
    """Starts workers of both kinds, and ends them all."""

    def __init__(self, configured: dict[str, str], directory: Path, running: ExitStack) -> None:
        self._configured = configured
        self._directory = directory
        self._running = running
        self._count = 0

    def container(self, **settings: str) -> Process:
        """`tailrace work`."""
        argv = [sys.executable, "-m", "cli", "work", "--text-logs"]
        return self._start(argv, "worker ready", {**self._configured, **settings})

    def functions(self, *options: str, **settings: str) -> Process:
        """The function app in Microsoft's worker library; `match` holds its address."""
        file = self._directory / f"settings-{self._count}.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": {**self._configured, **settings}}))
        given = ["--app", str(ROOT), "--settings", str(file), "--port", "0", *(options or ("--only", "export"))]
        argv = [sys.executable, "-m", "emulators.functions_host", *given]
        return self._start(argv, r"Functions host listening on (\S+)", {})

    def _start(self, argv: list[str], ready: str, environ: dict[str, str]) -> Process:
        self._count += 1
        # Killed at the test's end: the tests of draining send their signals themselves.
        launch = Launch(self._directory / f"host-{self._count}.log", stop_signal=signal.SIGKILL)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TAILRACE_", "PG"))}
        env = {**inherited, **environ}
        return self._running.enter_context(start(argv, ready=re.compile(ready), env=env, cwd=ROOT, launch=launch))


type Begin = Callable[..., Process]
